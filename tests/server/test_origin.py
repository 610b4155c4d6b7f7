"""A page of the own host is local to MLflow; a page of any other host cannot write."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.middleware.origin import OwnOrigin
from mlflow_proxy.headers import is_own_origin
from support.asgi import Answer, Recorder, ask


def encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


def post(headers: list[tuple[str, str]], app: Recorder | None = None) -> Answer:
    body = b"x" * 100_000
    return ask(OwnOrigin(app or Recorder()), method="POST", headers=encoded(headers), body=body)


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
    assert ask(OwnOrigin(app), method=method, headers=headers).status == 200
    assert dict(app.scopes[0]["headers"])[b"origin"] == b"null"
