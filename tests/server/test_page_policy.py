"""Every HTML page has a policy under which stored content does not run as the dashboard."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.middleware.page_policy import NONCE, PagePolicy
from support.asgi import Recorder, ask

POLICY = "content-security-policy"


@pytest.mark.parametrize("media_type", [b"text/html", b"text/html; charset=utf-8", b"Text/HTML"])
@pytest.mark.parametrize("path", ["/", "/graphql", "/any/other"])
def test_a_page_has_the_policy_with_its_own_nonce(media_type: bytes, path: str) -> None:
    app = Recorder((b"content-type", media_type))
    policies = set()
    for _ in range(2):
        headers = ask(PagePolicy(app), path).headers
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
    headers = ask(PagePolicy(Recorder((b"content-type", b"text/html"), *own)), "/").headers
    assert headers.getlist(POLICY) == ["sandbox"]
    assert headers.getlist("x-frame-options") == ["DENY"]


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"application/json")]])
def test_a_response_that_is_no_page_is_unchanged(headers: list[tuple[bytes, bytes]]) -> None:
    answer = ask(PagePolicy(Recorder(*headers)), "/")
    assert POLICY not in answer.headers
    assert "x-frame-options" not in answer.headers
