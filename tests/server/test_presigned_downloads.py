"""The dashboard is told to download through Jupyter where it may not reach the artifact store."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.middleware.presigned_downloads import OWN_STORE, PresignedDownloads
from support.asgi import Recorder, ask

DASHBOARDS = "/ajax-api/2.0/mlflow/artifacts/presigned-download-url"
CLIENTS = "/api/2.0/mlflow/artifacts/presigned-download-url"


def status(path: str) -> int:
    return ask(PresignedDownloads(Recorder(body=b"{}")), path, method="POST", body=b"{}").status


def test_a_store_of_ones_own_has_no_presigned_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWN_STORE, "http://minio:9000")
    assert status(DASHBOARDS) == status("/ajax-api/2.0/mlflow-artifacts/presigned/a/b") == 501
    assert status(CLIENTS) == 200


def test_that_of_amazon_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OWN_STORE, raising=False)
    assert status(DASHBOARDS) == 200
