"""MLflow's plugins make credentials for a tracking server, anew each time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.server import Server, mlflow_of
from support.wire import WireServer, wire_server

PLUGIN = """
import itertools
from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from mlflow.tracking.request_header.abstract_request_header_provider import RequestHeaderProvider

COUNT = itertools.count()

class Headers(RequestHeaderProvider):
    def in_context(self):
        return True
    def request_headers(self):
        return {"X-Team": str(next(COUNT)), "User-Agent": "the plugin's"}

class Token:
    def __init__(self, provider):
        self.provider = provider
    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {next(COUNT)}"
        return request

class Auth(RequestAuthProvider):
    def get_name(self):
        return "team"
    def get_auth(self):
        return Token(self)

class Failing(RequestAuthProvider):
    def get_name(self):
        return "failing"
    def get_auth(self):
        raise RuntimeError("the vault is closed")
"""
ENTRY_POINTS = """
[mlflow.request_auth_provider]
team = team_plugin:Auth
failing = team_plugin:Failing
"""
HEADER_PROVIDER = "[mlflow.request_header_provider]\nteam = team_plugin:Headers\n"


@pytest.fixture
def server() -> Iterator[WireServer]:
    with wire_server() as server:
        yield server


@contextmanager
def with_plugin(
    folder: Path, server: WireServer, entry_points: str, **variables: str
) -> Iterator[Server]:
    """A Jupyter server of `server`, with the plugin installed for MLflow."""
    install(folder / "site", entry_points)
    variables["PYTHONPATH"] = str(folder / "site")
    with mlflow_of(folder, MLFLOW_BACKEND_STORE_URI=server.url, **variables) as jupyter:
        yield jupyter


def install(site: Path, entry_points: str) -> None:
    """Install the plugin into the folder `site`."""
    information = site / "team_plugin-1.0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (site / "team_plugin.py").write_text(PLUGIN)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: team-plugin\nVersion: 1.0\n"
    )
    (information / "entry_points.txt").write_text(entry_points)


def post(jupyter: Server, server: WireServer, body: str = "{}") -> dict[str, str]:
    """Post to the server; returns the headers that arrived."""
    headers = {"User-Agent": "the browser's"}
    assert jupyter.request("/api/x", "POST", headers, body)[0] == 200
    return {name.lower(): value for name, value in server.last("/api/x").headers}


def test_headers_of_a_plugin_are_asked_for_anew(tmp_path: Path, server: WireServer) -> None:
    token = {"MLFLOW_TRACKING_TOKEN": "the-users"}
    with with_plugin(tmp_path, server, HEADER_PROVIDER, **token) as jupyter:
        jupyter.wait_until("ready")
        first, second = post(jupyter, server), post(jupyter, server)
    assert int(second["x-team"]) > int(first["x-team"])
    assert first["user-agent"] == "the browser's"
    assert first["authorization"] == "Bearer the-users"


def test_an_auth_plugin_is_used_once_it_is_installed_and_asked_anew(
    tmp_path: Path, server: WireServer
) -> None:
    with with_plugin(tmp_path, server, "", MLFLOW_TRACKING_AUTH="team") as jupyter:
        told = jupyter.wait_until("failed")
        missing = "MLFLOW_TRACKING_AUTH is team, but no such provider is installed for MLflow."
        assert told["reason"] == missing
        assert told["remedy"].startswith("Install its package beside MLflow, or correct ")
        install(tmp_path / "site", ENTRY_POINTS)
        jupyter.try_again()
        jupyter.wait_until("ready")
        first, second = post(jupyter, server), post(jupyter, server, "x" * 1000)
        large = post(jupyter, server, "x" * 1_000_000)
    assert first["authorization"] != second["authorization"] != large["authorization"]
    assert (second["content-length"], large["content-length"]) == ("1000", "1000000")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("failing", 'The credentials by MLFLOW_TRACKING_AUTH=failing cannot be made: "the vault'),
        ("kubernetes", "kubernetes"),
    ],
)
def test_an_auth_plugin_that_fails_is_told(
    tmp_path: Path, server: WireServer, name: str, reason: str
) -> None:
    with with_plugin(tmp_path, server, ENTRY_POINTS, MLFLOW_TRACKING_AUTH=name) as jupyter:
        status = jupyter.wait_until("failed")
    assert reason in status["reason"]
    assert status["remedy"]
    if name == "failing":
        (variable,) = re.findall(r"^Correct (\w+)=failing\.$", status["remedy"])
        with with_plugin(tmp_path, server, ENTRY_POINTS, **{variable: "team"}) as jupyter:
            jupyter.wait_until("ready")


def test_a_server_that_wants_aws_signatures_is_not_shown(
    tmp_path: Path, server: WireServer
) -> None:
    wanted = {"MLFLOW_BACKEND_STORE_URI": server.url, "MLFLOW_TRACKING_AWS_SIGV4": "true"}
    with mlflow_of(tmp_path, **wanted) as jupyter:
        status = jupyter.wait_until("failed")
    assert "are to be signed for AWS (MLFLOW_TRACKING_AWS_SIGV4)" in status["reason"]
    assert "Notebooks log to it all the same" in status["remedy"]
