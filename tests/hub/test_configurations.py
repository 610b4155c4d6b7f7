"""The configurations of `examples/jupyterhub`: users log in kernels and look in their tiles."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.security import check_password_hash

from support.hub import Hub, hub_server
from support.lab import PAGE
from support.postgres import postgres_server
from support.processes import command_of, family_of, free_ports
from support.recipes import follow, recipes
from support.s3 import SECRET as S3_SECRET
from support.s3 import s3_server
from support.waiting import wait_for

pytestmark = pytest.mark.hub

GET = "/ajax-api/2.0/mlflow/runs/get"
SECRET = "the-team-secret-of-the-tests, of some length"
LOG_A_RUN = """
import json, mlflow, os
mlflow.set_experiment("of {user}")
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.25)
    mlflow.log_text("of {user}", "note.txt")
print(json.dumps([run.info.run_id, dict(os.environ)]))
"""


def log_a_run(hub: Hub, user: str) -> tuple[str, dict[str, str]]:
    """Log a run in a kernel of `user`; returns its id and the kernel's environment."""
    hub.start_server(user)
    run, env = json.loads(hub.run_in_kernel(user, LOG_A_RUN.format(user=user)).splitlines()[-1])
    return run, env


class Tile:
    """The dashboard of `user`, as the browser of a user who has logged in sees it."""

    def __init__(self, hub: Hub, user: str) -> None:
        hub.start_server(user)
        self.hub, self.user = hub, user
        self.session = hub.log_in(user)
        self.page(PAGE)  # leads through the hub's login
        status = hub.mlflow(user, "/_proxy/status")
        message = f"MLflow is not ready, see {hub.home}"
        wait_for(
            lambda: self.session.get(status, timeout=30).json()["state"] == "ready", 90, message
        )
        assert "<title>MLflow</title>" in self.page(PAGE).text

    def page(self, headers: dict[str, str], path: str = "/", **options: Any) -> requests.Response:
        return self.session.get(
            self.hub.mlflow(self.user, path), headers=headers, timeout=60, **options
        )

    def shows(self, run: str) -> bool:
        """Whether it has the run with its metric and its artifact."""
        found = self.page({}, GET, params={"run_id": run})
        if found.status_code == 404:
            return False
        assert found.json()["run"]["data"]["metrics"][0]["value"] == 0.25
        note = self.page({}, "/get-artifact", params={"run_uuid": run, "path": "note.txt"})
        return note.text.startswith("of ")

    def delete(self, run: str) -> int:
        """Delete the run, as the dashboard's button does; returns the status."""
        headers = {"X-XSRFToken": self.hub.xsrf_token(self.session, self.user)}
        url = self.hub.mlflow(self.user, "/ajax-api/2.0/mlflow/runs/delete")
        return self.session.post(url, json={"run_id": run}, headers=headers, timeout=60).status_code

    def close(self) -> None:
        self.session.close()


def answers(url: str) -> bool:
    """Whether the tracking server at `url` is up."""
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def commands() -> str:
    """The command lines of the hub and of all that it started, which its users can list."""
    return "\n".join(" ".join(command_of(process)) for process in family_of(os.getpid()))


def test_a_private_store_each(tmp_path: Path) -> None:
    env = {"MLFLOW_IDLE_SECONDS": "1234"}
    with hub_server(tmp_path, example="private_stores.py", env=env) as hub:
        runs = {user: log_a_run(hub, user)[0] for user in ("alice", "bob")}
        alice = Tile(hub, "alice")
        assert alice.shows(runs["alice"])
        assert not alice.shows(runs["bob"])
        alice.close()
        assert (tmp_path / "bob" / "work" / "mlflow.db").is_file()
        assert "--idle-timeout=1234" in commands()
        may_stop_servers(hub, "alice")


def may_stop_servers(hub: Hub, user: str) -> None:
    """What the culler does once a server is idle, with the rights that the example gives it."""
    family = family_of(os.getpid())
    (culler,) = (each for each in family if "jupyterhub_idle_culler" in command_of(each))
    token = {"Authorization": f"token {culler.environ()['JUPYTERHUB_API_TOKEN']}"}
    url = f"{hub.address}/hub/api/users"
    with requests.Session() as session:
        session.headers.update(token)
        (found,) = (each for each in session.get(url, timeout=30).json() if each["name"] == user)
        assert found["servers"][""]["last_activity"]
        assert session.delete(f"{url}/{user}/server", timeout=30).ok
        assert session.delete(f"{url}/{user}", timeout=30).status_code == 403
    wait_for(lambda: not hub.server_state(user), 30)


def test_one_team_server_with_an_account_for_each_user(tmp_path: Path) -> None:
    env = {
        "MLFLOW_TEAM_SECRET": SECRET,
        "MLFLOW_TEAM_FOLDER": str(tmp_path / "team"),
        "MLFLOW_TEAM_PORT": str(free_ports(1)[0]),
        "MLFLOW_TEAM_WORKERS": "1",
    }
    url = f"http://127.0.0.1:{env['MLFLOW_TEAM_PORT']}"
    with hub_server(tmp_path, example="team_server.py", env=env) as hub:
        hub.add_user("alice")
        hub.api("POST", "/users/alice/server")  # while the tracking server starts
        wait_for(lambda: answers(url), 240, f"no tracking server, see {tmp_path}")
        run, of_kernel = log_a_run(hub, "alice")
        alice, bob = Tile(hub, "alice"), Tile(hub, "bob")
        assert alice.shows(run)
        assert bob.shows(run)
        assert bob.delete(run) == 403
        assert alice.delete(run) == 200
        assert requests.get(url + GET, params={"run_id": run}, timeout=30).status_code == 401
        may_change_the_password(hub, url, tmp_path / "team", of_kernel["MLFLOW_TRACKING_PASSWORD"])
        assert SECRET not in of_kernel.values()
        assert SECRET not in commands()
        assert of_kernel["MLFLOW_TRACKING_PASSWORD"] not in commands()
        for tile in (alice, bob):
            tile.close()


def may_change_the_password(hub: Hub, url: str, folder: Path, own: str) -> None:
    """Change alice's on the account page; the next start of the server sets that of the hub again.

    The accounts are backed up meanwhile, as the documentation says.
    """
    (back_up,) = recipes("how-to/backup.md", "Accounts of a team server")
    follow(back_up, folder)
    body = {"username": "alice", "password": "of alice's own choice"}
    path, account = "/api/2.0/mlflow/users/update-password", ("alice", own)
    assert requests.patch(url + path, json=body, auth=account, timeout=30).ok
    assert not check_password_hash(password_of("alice", folder / "accounts.db"), own)
    assert check_password_hash(password_of("alice", folder / "accounts-backup.db"), own)
    hub.api("DELETE", "/users/alice/server")
    wait_for(lambda: not hub.server_state("alice"), 30)
    hub.start_server("alice")
    assert check_password_hash(password_of("alice", folder / "accounts.db"), own)


def password_of(user: str, accounts: Path) -> str:
    with closing(sqlite3.connect(accounts)) as database:
        query = "SELECT password_hash FROM users WHERE username = ?"
        return database.execute(query, (user,)).fetchone()[0]


def test_postgresql_and_s3(tmp_path: Path) -> None:
    with postgres_server() as database, s3_server(tmp_path) as bucket:
        database.run("createdb", "team")
        env = {
            "MLFLOW_STORE": database.uri("team"),
            "MLFLOW_ARTIFACTS": "s3://team-bucket/mlflow",
            **bucket.variables,
        }
        with hub_server(tmp_path / "hub", example="postgresql_s3.py", env=env) as hub:
            run, _ = log_a_run(hub, "alice")
            bob = Tile(hub, "bob")
            assert bob.shows(run)
            bob.close()
            query = "SELECT artifact_uri FROM runs"
            assert database.query("team", query).startswith("s3://team-bucket/mlflow/")
            for secret in ("hunter2", S3_SECRET):
                assert secret not in commands()
