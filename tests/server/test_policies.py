"""Stored content runs neither in MLflow's pages nor at an address of its own."""

from __future__ import annotations

import pytest

from mlflow_proxy.addresses import TRACE_PAGE
from mlflow_proxy.server.middleware.security import NONCE, Security
from support.asgi import Recorder, ask

POLICY = "content-security-policy"


@pytest.mark.parametrize("media_type", [b"text/html", b"text/html; charset=utf-8", b"Text/HTML"])
@pytest.mark.parametrize("path", ["/", TRACE_PAGE, "/static-files/any.html"])
def test_a_page_has_the_policy_with_its_own_nonce(media_type: bytes, path: str) -> None:
    app = Recorder((b"content-type", media_type))
    policies = set()
    for _ in range(2):
        headers = ask(Security(app), path).headers
        directives = dict(each.split(" ", 1) for each in headers[POLICY].split("; "))
        nonce = app.scopes[-1][NONCE]()
        assert len(nonce) > 20
        assert directives["script-src"] == f"'nonce-{nonce}' 'strict-dynamic'"
        assert (directives["default-src"], directives["object-src"]) == ("'self'", "'none'")
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert headers["x-content-type-options"] == "nosniff"
        policies.add(headers[POLICY])
    assert len(policies) == 2


def test_a_page_with_a_policy_keeps_it() -> None:
    own = [(b"content-security-policy", b"sandbox"), (b"x-frame-options", b"DENY")]
    headers = ask(Security(Recorder((b"content-type", b"text/html"), *own)), "/").headers
    assert headers.getlist(POLICY) == ["sandbox"]
    assert headers.getlist("x-frame-options") == ["DENY"]


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"application/json")]])
def test_a_response_that_is_no_page_is_unchanged(headers: list[tuple[bytes, bytes]]) -> None:
    answer = ask(Security(Recorder(*headers)), "/")
    assert POLICY not in answer.headers
    assert "x-frame-options" not in answer.headers


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
        "/static-files",
        "/static-files/",
        "/static-files//get-artifact",
        "/static-files/../get-artifact",
        "/static-files/%2e%2e/get-artifact",
        "/static-files/a/..%2fget-artifact",
        "/static-files2/a.js",
    ],
)
def test_a_response_has_the_sandbox(path: str) -> None:
    answer = ask(Security(Recorder((b"content-type", b"text/html"))), path, body=b"<script>")
    assert answer.headers[POLICY].startswith("sandbox; default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body == b"<script>"


@pytest.mark.parametrize("path", ["/", TRACE_PAGE, "/static-files/static/js/main.0a1b2c3d.js"])
def test_the_dashboards_page_and_static_files_are_not_in_the_sandbox(path: str) -> None:
    assert POLICY not in ask(Security(Recorder()), path).headers
