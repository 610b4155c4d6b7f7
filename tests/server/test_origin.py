"""Host and Origin: the own page is local to MLflow, any other page is nobody."""

from __future__ import annotations

import pytest

from mlflow_proxy.shared.origins import is_own_origin
from mlflow_proxy.server.middleware.origin import local_headers


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"http://localhost:8888", b"localhost:8888"),
        (b"https://hub.example.org", b"hub.example.org"),
        (b"https://hub.example.org", b"hub.example.org:443"),
        (b"https://hub.example.org:443", b"hub.example.org"),
        (b"http://hub.example.org", b"hub.example.org:80"),
        (b"https://HUB.example.org", b"hub.EXAMPLE.org"),
        (b"http://[::1]:8888", b"[::1]:8888"),
        (b"https://xn--bcher-kva.example", b"xn--bcher-kva.example"),
    ],
)
def test_the_own_origin_is_recognized(origin: bytes, host: bytes) -> None:
    assert is_own_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"null", b"hub.example.org"),
        (b"", b"hub.example.org"),
        (b"", b""),
        (b"http://", b""),
        (b"https://evil.example", b"hub.example.org"),
        (b"https://hub.example.org.evil.example", b"hub.example.org"),
        (b"https://evilhub.example.org", b"hub.example.org"),
        (b"https://example.org", b"hub.example.org"),
        (b"https://hub.example.org:8443", b"hub.example.org"),
        (b"http://localhost:9999", b"localhost:8888"),
        (b"http://localhost", b"hub.example.org"),
        (b"http://127.0.0.1:8888", b"localhost:8888"),
        (b"https://hub.example.org@evil.example", b"hub.example.org"),
        (b"https://evil.example@hub.example.org", b"hub.example.org"),
        (b"https://hub.example.org/", b"hub.example.org"),
        (b"https://hub.example.org#", b"hub.example.org"),
        (b"https://hub.example.org?", b"hub.example.org"),
        (b"https://hub.example.org\\@evil.example", b"hub.example.org"),
        (b"https://hub.example.org https://evil.example", b"hub.example.org"),
        (b"https://hub.example.org.", b"hub.example.org"),
        (b"http://hub.example.org:443", b"hub.example.org"),
        (b"file://hub.example.org", b"hub.example.org"),
        (b"ftp://hub.example.org", b"hub.example.org"),
        (b"//hub.example.org", b"hub.example.org"),
        (b"hub.example.org", b"hub.example.org"),
        (b"https://h\xc3\xbcb.example.org", b"h\xc3\xbcb.example.org"),
    ],
)
def test_any_other_origin_is_foreign(origin: bytes, host: bytes) -> None:
    assert not is_own_origin(origin, host)


def test_the_host_is_local_and_nothing_else_changes() -> None:
    headers = [(b"host", b"hub.example.org"), (b"accept", b"*/*"), (b"x", b"1"), (b"x", b"2")]
    assert local_headers(headers) == [
        (b"accept", b"*/*"),
        (b"x", b"1"),
        (b"x", b"2"),
        (b"host", b"localhost"),
    ]


def test_a_forwarded_host_is_not_trusted() -> None:
    headers = [
        (b"host", b"hub.example.org"),
        (b"x-forwarded-host", b"evil.example"),
        (b"origin", b"https://evil.example"),
    ]
    assert (b"origin", b"null") in local_headers(headers)


def test_two_origins_are_foreign() -> None:
    own = (b"origin", b"https://hub.example.org")
    assert (b"origin", b"null") in local_headers([(b"host", b"hub.example.org"), own, own])
