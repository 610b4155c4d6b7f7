"""MLflow's client and `curl` outside the hub use a user's store with a token of the right scope."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from support.hub import Hub
from support.processes import environment
from support.waiting import wait_for

pytestmark = pytest.mark.hub

CLIENT = Path(__file__).parents[1] / "resources" / "hub_client.py"
USER = "ivan"
NEIGHBOUR = "judith"
SEARCH = "/api/2.0/mlflow/experiments/search"
FILE = "/api/2.0/mlflow-artifacts/artifacts/of curl.txt".replace(" ", "%20")
NEEDED = f"access:servers!server={USER}/"
RIGHT = (NEEDED, f"access:servers!user={USER}")
WRONG = (f"read:users!user={USER}", f"access:servers!server={USER}/another")


@pytest.fixture(scope="module")
def running(hub: Hub) -> Iterator[Hub]:
    """The hub, on which MLflow of `USER` is ready."""
    hub.add_user(NEIGHBOUR)
    hub.start_server(USER)
    authorization = ("-H", f"Authorization: Bearer {token(hub, USER, NEEDED)}")
    curl(hub, *authorization, "-H", "Accept: text/html", "/")  # starts it
    ready = (*authorization, "/_proxy/status")
    wait_for(lambda: json.loads(curl(hub, *ready)[1])["state"] == "ready", 90)
    yield hub
    hub.stop_server(USER)


def token(hub: Hub, owner: str, *scopes: str) -> str:
    """Create a token of `owner` with `scopes`, as the hub's page "Token" does."""
    body = {"note": "of a client", "scopes": scopes}
    answer = hub.api("POST", f"/users/{owner}/tokens", json=body)
    answer.raise_for_status()
    return str(answer.json()["token"])


def curl(hub: Hub, *arguments: str) -> tuple[int, str]:
    """Run `curl`, the last of `arguments` below MLflow of `USER`; returns status and body."""
    command = ["curl", "--silent", "--show-error", "--max-time", "60", "-w", "\n%{http_code}"]
    command += [*arguments[:-1], hub.mlflow(USER, arguments[-1])]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    body, _, status = printed.rpartition("\n")
    return int(status), body


def outcomes(hub: Hub, home: Path, *tokens: str) -> list[str]:
    """What MLflow's client says with each of `tokens`; with the first it uses everything."""
    arguments = [each for each_token in tokens for each in (hub.mlflow(USER, ""), each_token)]
    command = [sys.executable, str(CLIENT), *arguments]
    home.mkdir(exist_ok=True)
    client = subprocess.run(
        command, cwd=home, env=environment(home), capture_output=True, text=True, check=False
    )
    assert client.returncode == 0, client.stderr
    return list(json.loads(client.stdout.splitlines()[-1]))


def test_mlflows_client_needs_a_token_of_the_right_scope(running: Hub, tmp_path: Path) -> None:
    share = running.api("POST", f"/shares/{USER}/", json={"user": NEIGHBOUR})
    neighbour = token(running, NEIGHBOUR, f"access:servers!user={NEIGHBOUR}")
    assert share.ok
    good = [token(running, USER, scope) for scope in RIGHT]
    good.append(token(running, NEIGHBOUR, NEEDED))  # which the share has granted
    bad = [*(token(running, USER, scope) for scope in WRONG), neighbour, "0" * 32]
    results = outcomes(running, tmp_path / "client", *good, *bad)
    assert results[: len(good)] == ["ok"] * len(good)
    for result in results[len(good) :]:
        assert "403" in result
        assert f"JupyterHub's needs the scope {NEEDED}" in result


def test_curl_reads_writes_and_is_told_why_it_may_not(running: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of curl")
    json_body = ("-H", "Content-Type: application/json", "-d", '{"max_results": 5}')
    calls = (
        ("-T", str(tmp_path / "file"), FILE),
        (FILE,),
        (*json_body, SEARCH),
        ("-X", "DELETE", FILE),
    )
    for scheme in ("Bearer", "token"):
        good = ("-H", f"Authorization: {scheme} {token(running, USER, NEEDED)}")
        bad = ("-H", f"Authorization: {scheme} {token(running, USER, WRONG[0])}")
        answers = [curl(running, *good, *call) for call in calls]
        assert [status for status, _ in answers] == [200] * len(calls), answers
        assert answers[1][1] == "of curl"
        assert "Default" in answers[2][1]
        for call in calls:
            status, body = curl(running, *bad, *call)
            assert status == 403
            assert NEEDED in body


def test_a_client_of_a_stopped_server_is_told_where_to_start_it(
    running: Hub, tmp_path: Path
) -> None:
    own = token(running, USER, NEEDED)
    running.stop_server(USER)
    (result,) = outcomes(running, tmp_path / "client", own)
    assert "server no longer running" in result
    assert f"/hub/spawn/{USER}" in result
    starts = token(running, USER, f"servers!user={USER}", NEEDED)
    headers = {"Host": running.host, "Authorization": f"Bearer {starts}"}
    account = f"{running.address}/hub/api/users/{USER}"
    assert requests.post(f"{account}/server", headers=headers, timeout=60).ok

    def is_ready() -> bool:
        return requests.get(account, headers=headers, timeout=30).json()["servers"][""]["ready"]

    wait_for(is_ready, 60)
