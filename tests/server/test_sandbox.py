"""Every response has a sandbox policy but the dashboard's page."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.middleware.sandbox import Sandbox
from support.asgi import Recorder, ask

POLICY = "content-security-policy"


@pytest.mark.parametrize(
    "path",
    [
        "/get-artifact",
        "//get-artifact",
        "/./get-artifact",
        "/%2fget-artifact",
        "/get-artifact/",
        "/GET-ARTIFACT",
        "/model-versions/get-artifact",
        "/api/2.0/mlflow-artifacts/artifacts/1/2/artifacts/page.html",
        "/api//2.0/mlflow-artifacts/artifacts/1/2/artifacts/page.html",
        "/ajax-api/2.0/mlflow-artifacts/artifacts/a\nb",
        "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files",
        "/ajax-api/2.0/mlflow/get-trace-artifact",
        "/ajax-api/3.0/mlflow/get-trace-artifact",
        "/ajax-api/9.9/of/a/later/release",
    ],
)
def test_a_response_has_the_policy(path: str) -> None:
    answer = ask(Sandbox(Recorder((b"content-type", b"text/html"))), path, body=b"<script>")
    assert answer.headers[POLICY].startswith("sandbox; default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body == b"<script>"


def test_the_dashboards_page_has_no_policy() -> None:
    assert POLICY not in ask(Sandbox(Recorder()), "/").headers
