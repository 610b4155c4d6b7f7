"""MLflow takes a page of the own host for local, and gets no cookie or token of Jupyter's."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.headers import is_own_origin
from mlflow_proxy.server import local
from mlflow_proxy.server.middleware.security import Security
from mlflow_proxy.server.serve import stack
from mlflow_proxy.server.store.settings import StoreSettings
from support.asgi import Answer, Recorder, ask

SECRETS = {
    "Cookie": "username-localhost-8888=hunter2",
    "Authorization": "token hunter2",
    "Proxy-Authorization": "Basic hunter2",
    "X-XSRFToken": "hunter2",
    "X-Csrftoken": "hunter2",
    "Referer": "http://localhost/lab?token=hunter2",
}


def encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


def post(headers: list[tuple[str, str]], app: Recorder | None = None) -> Answer:
    body = b"x" * 100_000
    return ask(Security(app or Recorder()), method="POST", headers=encoded(headers), body=body)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8888", "localhost:8888"),
        ("https://hub.example.org", "hub.example.org"),
        ("https://hub.example.org", "hub.example.org:443"),
        ("https://hub.example.org:443", "hub.example.org"),
        ("http://hub.example.org", "hub.example.org:80"),
        ("https://HUB.example.org", "hub.EXAMPLE.org"),
        ("http://[::1]:8888", "[::1]:8888"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_the_own_origin_is_recognized(origin: str, host: str) -> None:
    assert is_own_origin(origin, host)
    assert post([("host", host), ("origin", origin)]).status == 200


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "hub.example.org"),
        ("", "hub.example.org"),
        ("", ""),
        ("http://", ""),
        ("https://evil.example", "hub.example.org"),
        ("https://hub.example.org.evil.example", "hub.example.org"),
        ("https://evilhub.example.org", "hub.example.org"),
        ("https://example.org", "hub.example.org"),
        ("https://hub.example.org:8443", "hub.example.org"),
        ("http://localhost:9999", "localhost:8888"),
        ("http://localhost", "hub.example.org"),
        ("http://127.0.0.1:8888", "localhost:8888"),
        ("https://hub.example.org@evil.example", "hub.example.org"),
        ("https://evil.example@hub.example.org", "hub.example.org"),
        ("https://hub.example.org/", "hub.example.org"),
        ("https://hub.example.org#", "hub.example.org"),
        ("https://hub.example.org?", "hub.example.org"),
        ("https://hub.example.org\\@evil.example", "hub.example.org"),
        ("https://hub.example.org https://evil.example", "hub.example.org"),
        ("https://hub.example.org.", "hub.example.org"),
        ("http://hub.example.org:443", "hub.example.org"),
        ("file://hub.example.org", "hub.example.org"),
        ("ftp://hub.example.org", "hub.example.org"),
        ("//hub.example.org", "hub.example.org"),
        ("hub.example.org", "hub.example.org"),
        ("https://h\xc3\xbcb.example.org", "h\xc3\xbcb.example.org"),
    ],
)
def test_any_other_origin_is_foreign(origin: str, host: str) -> None:
    assert not is_own_origin(origin, host)
    answer = post([("host", host), ("origin", origin)])
    assert (answer.status, answer.body) == (403, b"Cross-origin request blocked")


def test_the_host_is_local_and_nothing_else_changes() -> None:
    app = Recorder()
    headers = [("host", "hub.example.org"), ("accept", "*/*"), ("x", "1"), ("x", "2")]
    post(headers, app)
    assert app.scopes[0]["headers"] == encoded([("host", "localhost"), *headers[1:]])


def test_a_forwarded_host_is_not_trusted() -> None:
    headers = [
        ("host", "hub.example.org"),
        ("x-forwarded-host", "evil.example"),
        ("origin", "https://evil.example"),
    ]
    assert post(headers).status == 403


def test_two_origins_or_hosts_are_foreign() -> None:
    host, own = ("host", "hub.example.org"), ("origin", "https://hub.example.org")
    foreign = ("origin", "https://evil.example")
    for headers in (
        [host, own, own],
        [host, own, foreign],
        [host, foreign, own],
        [host, host, own],
    ):
        assert post(headers).status == 403
    assert post([host, own]).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_read_of_a_foreign_page_has_no_origin(method: str) -> None:
    app = Recorder()
    headers = encoded([("host", "hub.example.org"), ("origin", "https://evil.example")])
    assert ask(Security(app), method=method, headers=headers).status == 200
    assert dict(app.scopes[0]["headers"])[b"origin"] == b"null"


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"token=abc", b""),
        (b"token=abc&page=2", b"page=2"),
        (b"page=2&token=abc", b"page=2"),
        (b"a=1&token=abc&b=%20&token=d", b"a=1&b=%20"),
        (b"%74oken=abc&a", b"a"),
        (b"t%6Fken=abc", b""),
        (b"_xsrf=abc&%5fxsrf=d&a=1", b"a=1"),
        (b"+token=abc", b""),
        (b"page_token=abc&tokens=1", b"page_token=abc&tokens=1"),
        (b"path=a%26token=b", b"path=a%26token=b"),
        (b"%zz&%ff=1", b"%zz&%ff=1"),
    ],
)
def test_only_credentials_are_removed_from_a_query(query: bytes, left: bytes) -> None:
    app = Recorder()
    ask(Security(app), query=query)
    assert app.scopes[0]["query_string"] == left


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_jupyters_cookies_and_tokens_never_reach_mlflow(tmp_path: Path, method: str) -> None:
    app = Recorder()
    settings = StoreSettings("sqlite://", "sqlite://", str(tmp_path))
    whole = stack(app, local.middlewares(settings, 60.0, None, ""))
    headers = [(name.lower().encode(), value.encode()) for name, value in SECRETS.items()]
    headers += [(b"host", b"localhost"), (b"accept", b"*/*"), (b"cookie", b"a=hunter2")]
    query = b"token=hunter2&page=2&%74oken=hunter2&_xsrf=hunter2"
    assert ask(whole, "/api/2.0/mlflow/x", method=method, headers=headers, query=query).status < 300
    (scope,) = app.scopes
    assert "hunter2" not in repr(scope)
    assert scope["query_string"] == b"page=2"
    assert sorted(scope["headers"]) == [(b"accept", b"*/*"), (b"host", b"localhost")]
