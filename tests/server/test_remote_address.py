"""Addresses of tracking servers."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.remote.boundary import ServerAddress, leaves


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://host", "http://host"),
        ("http://host/", "http://host"),
        ("HTTP://Host:5000", "http://host:5000"),
        ("https://host:443/team/mlflow/", "https://host/team/mlflow"),
        ("http://me:secret@host:5000/x", "http://host:5000/x"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("http://host/a b/ä", "http://host/a%20b/%C3%A4"),
        ("http://host/a%20b", "http://host/a%20b"),
        ("http://bücher.example", "http://xn--bcher-kva.example"),
    ],
)
def test_an_address_is_parsed(uri: str, expected: str) -> None:
    address = ServerAddress.parse(uri)
    assert str(address) == expected
    assert "secret" not in f"{address} {address!r}"
    assert str(address.target(b"/x", b"a=b")) == f"{expected}/x?a=b"


@pytest.mark.parametrize(
    ("uri", "clients_uri", "api"),
    [
        ("http://host/team/mlflow", "http://host", "http://host"),
        ("http://host/team/mlflow", "http://host/team/", "http://host/team"),
        ("http://host/mlflow", "http://host/mlflow", "http://host/mlflow"),
        ("http://host/mlflow", "", "http://host/mlflow"),
        ("http://host/mlflow", "http://other", "http://host/mlflow"),
        ("http://host/mlflow", "http://host/ml", "http://host/mlflow"),
        ("http://host/mlflow", "sqlite:////x.db", "http://host/mlflow"),
    ],
)
def test_the_api_may_be_above_the_dashboard(uri: str, clients_uri: str, api: str) -> None:
    address = ServerAddress.parse(uri, clients_uri)
    path = "/api/2.0/mlflow/runs/get"
    assert str(address.target(path.encode())) == api + path
    for path in ("/ajax-api/2.0/mlflow/runs/get", "/static-files/main.js", "/", "/version"):
        assert str(address.target(path.encode())) == uri + path


@pytest.mark.parametrize(
    "uri",
    [
        "http://",
        "https:///path",
        "http://host:port",
        "http://host:99999",
        "http://[::1",
        "http://host/#/experiments/1",
        "http://host/?a=b",
        "http://host/a/../b",
        "http://host/%2e%2e/b",
        "http://me@:5000",
    ],
)
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ServerAddress.parse(uri)


@pytest.mark.parametrize("path", ["/a..b", "/...", "/a/.", "/..a/b", "/%2e", "/100%", "/a;..", ""])
def test_dots_in_a_name_do_not_leave(path: str) -> None:
    assert not leaves(path)
