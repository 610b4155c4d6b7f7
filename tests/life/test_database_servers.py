"""Stores on a real PostgreSQL and a real MariaDB: MLflow's whole life there, and many users of one.

What is told of servers that refuse is in test_mlflow_failures.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.databases import LATEST, OLDER, make_database
from support.mariadb import MariaDB, mariadb_cluster
from support.postgres import Postgres, postgres_cluster, postgres_server
from support.server import PAGE, Server, mlflow_of
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Debian's servers")

USERS, KERNELS = 10, 2
KEPT, MOST = 2, 8  # connections of one MLflow: two pools of 1, and of 4 at most
JSON = {"Content-Type": "application/json"}
API = "/api/2.0/mlflow"
SEARCHES = (
    (f"{API}/experiments/search?max_results=9", ""),
    (f"{API}/runs/search", '{"experiment_ids": ["0"]}'),
    (f"{API}/registered-models/search?max_results=9", ""),
)
REVISION = "SELECT version_num FROM alembic_version"


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres | MariaDB]:
    """A server that is down. Its database `team` is empty, or the older one of another user."""
    if request.param == "mysql":
        with mariadb_cluster() as mariadb:
            with mariadb.running():
                make_database(mariadb.uri("team"), OLDER)
                mariadb.query("team", "INSERT INTO experiments (name) VALUES ('used')")
            yield mariadb
        return
    with postgres_cluster() as postgres:
        with postgres.running():
            postgres.run("createdb", "team")
        yield postgres


def send(jupyter: Server, path: str, body: str = "") -> dict:
    status, _, answer = jupyter.request(path, "POST" if body else "GET", JSON, body)
    assert status == 200, answer
    return json.loads(answer)


def kernel(uri: str) -> subprocess.Popen[bytes]:
    """A kernel without this package that opens the database as soon as it can."""
    environ = {**os.environ, "MLFLOW_TRACKING_URI": uri}
    command = [sys.executable, "-c", "import mlflow; mlflow.search_experiments()"]
    return subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)


def wait_until_ready(jupyter: Server) -> None:
    """Wait; ten of them take their time."""
    jupyter.wait_until("ready", 120)


def search_at_once(jupyters: list[Server], times: int) -> None:
    """Send searches to all of them, 10 at once to each."""
    with ThreadPoolExecutor(10 * len(jupyters)) as threads:
        sent = [
            threads.submit(send, each, *search) for each in jupyters for search in SEARCHES * times
        ]
        for answer in sent:
            answer.result()


def test_mlflow_lives_on_a_database_server(tmp_path: Path, server: Postgres | MariaDB) -> None:
    with ExitStack() as stack, ExitStack() as first:
        first.enter_context(server.running())
        store = {"MLFLOW_BACKEND_STORE_URI": server.uri("team")}
        jupyter = stack.enter_context(mlflow_of(tmp_path, idle_timeout=6, **store))
        if isinstance(server, MariaDB):
            offer = jupyter.wait_until("failed")["offer"]
            assert (offer["repair"], offer["subject"]) == ("upgrade", server.uri("team", "***"))
            assert jupyter.repair("upgrade") == 202
        wait_until_ready(jupyter)
        assert server.query("team", REVISION) == LATEST
        run = send(jupyter, f"{API}/runs/create", '{"experiment_id": "0"}')["run"]
        search_at_once([jupyter], 5)
        assert 1 <= server.connections("team") <= KEPT

        wait_for(lambda: jupyter.status()["state"] == "idle")
        wait_for(lambda: server.connections("team") == 0)
        jupyter.request("/", headers=PAGE)  # starts it
        wait_until_ready(jupyter)
        process = jupyter.child.pid

        first.close()
        first.enter_context(server.running())
        found = send(jupyter, *SEARCHES[1])["runs"]
        assert [each["info"]["run_id"] for each in found] == [run["info"]["run_id"]]
        send(jupyter, *SEARCHES[2])
        assert jupyter.child.pid == process
        assert "hunter2" not in jupyter.log.read_text()


def test_users_who_start_at_once_create_one_database(tmp_path: Path) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        postgres.run("createdb", "team")
        uri = postgres.uri("team")
        kernels = [stack.enter_context(kernel(uri)) for _ in range(KERNELS)]
        jupyters = []
        for number in range(USERS):
            folder = tmp_path / str(number)
            folder.mkdir()
            of_user = mlflow_of(folder, MLFLOW_BACKEND_STORE_URI=uri)
            jupyters.append(stack.enter_context(of_user))
        for jupyter in jupyters:
            jupyter.request("/", headers=PAGE)
        for jupyter in jupyters:
            wait_until_ready(jupyter)
        for each in kernels:  # which may fail, because they know no lock
            each.wait(60)
        logs = [jupyter.log.read_text() for jupyter in jupyters]
        assert not [log for log in logs if "MLflow cannot start" in log or "Restarting" in log]
        assert postgres.query("team", "SELECT count(*), max(name) FROM experiments") == "1|Default"
        assert postgres.query("team", REVISION) == LATEST

        most = 0
        ended = threading.Event()

        def watch() -> None:
            nonlocal most
            while not ended.wait(0.05):
                most = max(most, postgres.connections("team"))

        with ThreadPoolExecutor(1) as watcher:
            watching = watcher.submit(watch)
            search_at_once(jupyters, 3)
            ended.set()
            watching.result()
        assert most <= USERS * MOST
        wait_for(lambda: postgres.connections("team") <= USERS * KEPT)
