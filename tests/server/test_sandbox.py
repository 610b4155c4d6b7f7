"""Which answers are artifacts."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.middleware.sandbox import ARTIFACT_PATH


@pytest.mark.parametrize(
    "path",
    [
        "/get-artifact",
        "/model-versions/get-artifact",
        "/api/2.0/mlflow-artifacts/artifacts/1/2/artifacts/page.html",
        "/ajax-api/2.0/mlflow-artifacts/artifacts/a\nb",
        "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files",
        "/ajax-api/2.0/mlflow/get-trace-artifact",
        "/ajax-api/3.0/mlflow/get-trace-artifact",
    ],
)
def test_an_artifact_is_in_the_sandbox(path: str) -> None:
    assert ARTIFACT_PATH.fullmatch(path)


@pytest.mark.parametrize("path", ["/", "/static-files/a.js", "/api/2.0/mlflow/artifacts/list"])
def test_the_dashboard_is_not(path: str) -> None:
    assert not ARTIFACT_PATH.fullmatch(path)
