"""A database server is down for a while; clients reach it afterwards, and no page is opened."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from support.lab import TOKEN, Lab
from support.postgres import Postgres, postgres_cluster
from support.waiting import wait_for

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=9"
CLIENT = "import mlflow; print(mlflow.get_experiment('0').name)"
CANNOT_START = "MLflow cannot start. The database of "


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server that is down and has a database `mlflow`."""
    with postgres_cluster() as server:
        with server.running():
            server.run("createdb", "mlflow")
        yield server


def test_clients_come_through_when_the_database_is_back(
    start_lab: Callable[..., Lab], postgres: Postgres
) -> None:
    lab = start_lab(env={"MLFLOW_BACKEND_STORE_URI": postgres.uri("mlflow")})
    failures = 0

    def has_failed() -> bool:
        assert lab.get(SEARCH).status_code == 503
        log = lab.mlflow_log
        return log.exists() and log.read_text().count(CANNOT_START) > failures

    wait_for(has_failed)
    come_through(lab, postgres)  # before MLflow has ever started

    failures = lab.mlflow_log.read_text().count(CANNOT_START)
    lab.mlflow.kill()
    wait_for(has_failed)
    come_through(lab, postgres)


def come_through(lab: Lab, postgres: Postgres) -> None:
    """Run a client while the server is down, then the server."""
    answer = lab.get(SEARCH)
    assert "cannot be reached" in answer.json()["message"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    with client(lab) as process, postgres.running():
        assert process.communicate(timeout=100)[0].strip() == "Default"
        assert lab.get(SEARCH).status_code == 200


def client(lab: Lab) -> subprocess.Popen[str]:
    """MLflow's client with its default settings, already at work."""
    env = {"MLFLOW_TRACKING_URI": lab.mlflow_url, "MLFLOW_TRACKING_TOKEN": TOKEN}
    command = [sys.executable, "-c", CLIENT]
    return subprocess.Popen(
        command, env={**lab.env, **env}, cwd=lab.home, stdout=subprocess.PIPE, text=True
    )
