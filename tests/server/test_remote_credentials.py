"""The credentials for a tracking server are those that MLflow's own client sends."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.remote import credentials
from mlflow_proxy.server.remote.boundary import ServerAddress
from support.wire import WireServer, wire_server

FILE = "[mlflow]\nmlflow_tracking_username = of-file\nmlflow_tracking_password = in-file\n"
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
TOKEN = "MLFLOW_TRACKING_TOKEN"
NETRC = "machine {host} login of-netrc password in-netrc\n"


@pytest.fixture(scope="module")
def server() -> Iterator[WireServer]:
    with wire_server() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an environment without credentials."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_TRACKING", "NETRC"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".mlflow").mkdir()
    return tmp_path


def set_all(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "case",
    [
        ({}, "", "", ""),
        ({USERNAME: "me", PASSWORD: "ä:secret"}, "", "", ""),
        ({USERNAME: "me", PASSWORD: "secret", TOKEN: "token"}, "", "", ""),
        ({USERNAME: "me"}, "", "", ""),
        ({PASSWORD: "secret"}, "", "", ""),
        ({TOKEN: "token"}, "", "", ""),
        ({TOKEN: ""}, "", "", ""),
        ({}, FILE, "", ""),
        ({USERNAME: "me"}, FILE, "", ""),
        ({USERNAME: "", PASSWORD: ""}, FILE, "", ""),
        ({USERNAME: "me", PASSWORD: "secret"}, FILE, "", ""),
        ({TOKEN: "token"}, FILE, "", ""),
        ({}, "[other]\nx = 1\n", "", ""),
        ({}, FILE.replace("in-file", "50%%"), "", ""),
        ({}, "[mlflow]\nmlflow_tracking_username = of-file\n", "", ""),
        ({}, "", NETRC.format(host="localhost"), ""),
        ({}, "", NETRC.format(host="other"), ""),
        ({}, "", "default login any password of-default\n", ""),
        ({}, "", "what is this", ""),
        ({TOKEN: "token"}, "", NETRC.format(host="localhost"), ""),
        ({}, "", "", "me:se%40cret@"),
        ({TOKEN: "token"}, "", "", "me:secret@"),
        ({}, "", NETRC.format(host="localhost"), "me:secret@"),
    ],
)
def test_they_are_those_of_mlflows_client(
    server: WireServer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[dict[str, str], str, str, str],
) -> None:
    environment, file, netrc, user_info = case
    set_all(monkeypatch, environment)
    if file:
        (home / ".mlflow" / "credentials").write_text(file)
    if netrc:
        (home / ".netrc").write_text(netrc)
        (home / ".netrc").chmod(0o600)
    url = server.url.replace("://", f"://{user_info}")
    http_request(get_default_host_creds(url), "/api/credentials", "GET")
    found = credentials.find(ServerAddress.parse(url))
    assert server.requests[-1].all("authorization") == ([found.authorization] if found else [])


@pytest.mark.parametrize("auth", ["kubernetes", "kubernetes-namespaced"])
def test_a_provider_for_kubernetes_replaces_a_password(
    home: Path, monkeypatch: pytest.MonkeyPatch, auth: str
) -> None:
    set_all(monkeypatch, {USERNAME: "me", PASSWORD: "x", "MLFLOW_TRACKING_AUTH": auth})
    address = ServerAddress.parse("http://host")
    assert credentials.find(address) is None
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "other")
    assert credentials.find(address)


@pytest.mark.parametrize(
    ("environment", "file", "source"),
    [
        ({USERNAME: "me", PASSWORD: "x"}, "", f"{USERNAME} and {PASSWORD}"),
        ({USERNAME: "me"}, FILE, f"{USERNAME} and ~/.mlflow/credentials"),
        ({}, FILE, "~/.mlflow/credentials"),
        ({TOKEN: "x"}, "", TOKEN),
    ],
)
def test_their_source_is_told(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    file: str,
    source: str,
) -> None:
    set_all(monkeypatch, environment)
    (home / ".mlflow" / "credentials").write_text(file)
    found = credentials.find(ServerAddress.parse("http://host"))
    assert found
    assert found.source == source


@pytest.mark.parametrize(
    ("environment", "file"),
    [({TOKEN: "secret\n"}, ""), ({}, "secret"), ({}, FILE.replace("in-file", "100% secret"))],
)
def test_what_cannot_be_used_is_told_without_the_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], file: str
) -> None:
    set_all(monkeypatch, environment)
    (home / ".mlflow" / "credentials").write_text(file)
    with pytest.raises(StartError) as caught:
        credentials.find(ServerAddress.parse("http://host"))
    assert "secret" not in str(caught.value)
    assert caught.value.failure.remedy


def test_basic_authentication_is_what_requests_makes_of_it() -> None:
    expected = requests.Request("GET", "http://h", auth=("me", "secret")).prepare()
    made = f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert expected.headers["Authorization"] == made
