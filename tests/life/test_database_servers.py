"""Stores on a real PostgreSQL and a real MariaDB: MLflow's whole life there, and many users of one.

What is told of servers that refuse is in test_mlflow_failures.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import pytest

from mlflow_proxy.process import MLflowProcess
from support.databases import LATEST, OLDER, make_database
from support.life import life_of, mlflow_in, until
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


def search_at_once(jupyter: Server, times: int) -> None:
    """Send searches, 10 at once."""
    with ThreadPoolExecutor(10) as threads:
        sent = [threads.submit(send, jupyter, *search) for search in SEARCHES * times]
        for answer in sent:
            answer.result()


def test_mlflow_lives_on_a_database_server(tmp_path: Path, server: Postgres | MariaDB) -> None:
    with ExitStack() as stack, ExitStack() as first:
        first.enter_context(server.running())
        store = {"MLFLOW_BACKEND_STORE_URI": server.uri("team")}
        options = ("--allow-upgrade=true",)
        of_user = mlflow_of(tmp_path, idle_timeout=8, options=options, **store)
        jupyter = stack.enter_context(of_user)
        if isinstance(server, MariaDB):
            offer = jupyter.wait_until("failed")["offer"]
            assert (offer["repair"], offer["subject"]) == ("upgrade", server.uri("team", "***"))
            assert jupyter.upgrade() == 202
        wait_until_ready(jupyter)
        assert server.query("team", REVISION) == LATEST
        run = send(jupyter, f"{API}/runs/create", '{"experiment_id": "0"}')["run"]
        search_at_once(jupyter, 5)
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


async def search(process: MLflowProcess, turns: asyncio.Semaphore, path: str, body: str) -> None:
    """Send one search to MLflow itself."""
    url, method = f"http://localhost{path}", "POST" if body else "GET"
    async with turns, process.session.request(method, url, data=body, headers=JSON) as answer:
        assert answer.status == 200, await answer.text()


async def most_connections(postgres: Postgres) -> int:
    """The most connections to the database, until this is cancelled."""
    most = 0
    with suppress(asyncio.CancelledError):
        while True:
            most = max(most, await asyncio.to_thread(postgres.connections, "team"))
            await asyncio.sleep(0.05)
    return most


def test_users_who_start_at_once_create_one_database(tmp_path: Path) -> None:
    """Each has a process; that it is Jupyter's matters not."""

    async def run(postgres: Postgres) -> None:
        uri = postgres.uri("team")
        async with AsyncExitStack() as stack:
            lives = []
            for number in range(USERS):
                folder = tmp_path / str(number)
                folder.mkdir()
                of_user = life_of(folder, *mlflow_in(folder), store=uri)
                lives.append(await stack.enter_async_context(of_user))
            for life in lives:
                life.start()
            processes = await asyncio.gather(*(life.ready() for life in lives))
            assert all(processes), [life.status.failure for life in lives]
            assert not any(life.status.crashes for life in lives)
            assert postgres.query("team", "SELECT count(*), max(name) FROM experiments") == (
                "1|Default"
            )
            assert postgres.query("team", REVISION) == LATEST

            watching = asyncio.create_task(most_connections(postgres))
            searches = []
            for process in filter(None, processes):
                turns = asyncio.Semaphore(10)
                searches += [search(process, turns, *each) for each in SEARCHES * 3]
            await asyncio.gather(*searches)
            watching.cancel()
            assert 1 <= await watching <= USERS * MOST
            await until(lambda: postgres.connections("team") <= USERS * KEPT)

    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        postgres.run("createdb", "team")
        kernels = [stack.enter_context(kernel(postgres.uri("team"))) for _ in range(KERNELS)]
        asyncio.run(run(postgres))
        for each in kernels:  # which may fail, because they know no lock
            each.wait(60)
