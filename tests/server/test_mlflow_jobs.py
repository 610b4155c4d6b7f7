"""MLflow's own jobs, run by the installed MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlflow_proxy.server.jobs import SETTLE
from support.judged_store import INVOKE, JudgedStore, assessments, jobs
from support.model_server import ModelServer, model_server
from support.processes import command_of, environment
from support.server import Server, mlflow_of
from support.waiting import wait_for

JSON = {"Content-Type": "application/json"}
IDLE_TIMEOUT = SETTLE + 3  # seconds; jobs that were left are looked for in that time
START = 120.0  # seconds for MLflow and for a job, whose imports take as long
# Judges of the oldest release want another package for the model of a gateway.
RELEASE = tuple(int(part) for part in version("mlflow").split(".")[:2])
needs_no_more = pytest.mark.skipif(RELEASE < (3, 13), reason="wants litellm")
RUNNING = 1  # of MLflow's `JobStatus`
TRY_JOBS = Path(__file__).parents[1] / "resources" / "try_jobs.py"


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A model server."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def store(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> JudgedStore:
    """A store whose endpoint asks `model`; tests work on copies."""
    return JudgedStore(tmp_path_factory.mktemp("store"), model.url)


@pytest.fixture(scope="module")
def found(store: JudgedStore, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `try_jobs.py` prints."""
    folder = tmp_path_factory.mktemp("tried")
    database = store.copy_to(folder, judge_is_on=True)
    arguments = [str(database), store.made["experiment_id"], json.dumps(store.invocation())]
    printed = subprocess.run(
        [sys.executable, str(TRY_JOBS), *arguments],
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(printed.stdout.splitlines()[-1])


def ask(jupyter: Server, path: str, body: Any) -> dict[str, Any]:
    """Post to MLflow and return its answer."""
    status, _, answer = jupyter.request(path, "POST", JSON, json.dumps(body))
    assert status == 200, answer
    return json.loads(answer)


def processes_of_jobs(mlflow: psutil.Process) -> list[psutil.Process]:
    """The processes of jobs."""
    return [each for each in mlflow.children() if "_job_subproc_entry" in str(command_of(each))]


@needs_no_more
def test_a_job_keeps_mlflow_up_and_goes_on_after_a_crash_and_a_stop(
    store: JudgedStore, model: ModelServer, tmp_path: Path
) -> None:
    database = store.copy_to(tmp_path)
    options = ["--job-execution"]
    model.answers.clear()
    with mlflow_of(
        tmp_path, options=options, idle_timeout=IDLE_TIMEOUT, **model.variables
    ) as jupyter:
        wait_for(lambda: jupyter.status()["state"] == "ready", START)
        mlflow = jupyter.child
        assert not mlflow.children()
        ask(jupyter, INVOKE, store.invocation())
        submitted = time.monotonic()
        wait_for(lambda: model.requests, START)
        wait_for(lambda: time.monotonic() > submitted + IDLE_TIMEOUT + 1)
        (process,) = processes_of_jobs(mlflow)
        assert not [each for each in mlflow.net_connections() if each.status == "LISTEN"]

        mlflow.kill()
        wait_for(lambda: not process.is_running(), 5)
        wait_for(lambda: len(model.requests) == 2, START)
        assert jupyter.child.pid != mlflow.pid

        # Its requests would wake MLflow, so it ends at once. That is no failure.
        (process,) = processes_of_jobs(jupyter.child)
        jupyter.stop()
        wait_for(lambda: not process.is_running(), 5)
        wait_for(lambda: jupyter.status()["pid"] is None)
        assert jupyter.status()["state"] == "idle"
        ((_, status, _),) = jobs(database)
        assert status == RUNNING
        jupyter.start()
        wait_for(lambda: len(model.requests) == 3, START)
        assert not assessments(database)
        model.answers.set()
        wait_for(lambda: jupyter.status()["state"] == "idle", START)
        assert assessments(database) == [("polite", "true", None)]
        ((name, _, result),) = jobs(database)
        assert name == "invoke_scorer"
        assert json.loads(result)[store.made["trace_id"]]["failures"] == []


@needs_no_more
def test_a_job_runs_in_one_of_the_labs_on_a_store(
    store: JudgedStore, model: ModelServer, tmp_path: Path
) -> None:
    database = store.copy_to(tmp_path)
    options = ["--job-execution"]
    variables = {**model.variables, "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{database}"}
    homes = [tmp_path / name for name in ("first", "second")]
    for home in homes:
        home.mkdir()
    model.answers.clear()
    model.requests.clear()
    with ExitStack() as stack, ExitStack() as of_first:
        first = of_first.enter_context(mlflow_of(homes[0], options=options, **variables))
        wait_for(lambda: first.status()["state"] == "ready", START)
        ask(first, INVOKE, store.invocation())
        wait_for(lambda: model.requests, START)

        second = stack.enter_context(
            mlflow_of(homes[1], options=options, idle_timeout=30, **variables)
        )
        wait_for(lambda: second.status()["state"] == "ready", START)
        began = time.monotonic()
        wait_for(lambda: time.monotonic() > began + SETTLE + 1)  # it has looked for jobs
        assert len(model.requests) == 1
        of_first.close()
        wait_for(lambda: len(model.requests) == 2, START)
        model.answers.set()
        wait_for(lambda: assessments(database), START)
        assert assessments(database) == [("polite", "true", None)]
        assert len(model.requests) == 2
    assert [each.name for each in database.parent.glob(".*")] == [f".{database.name}-jobs"]


@needs_no_more
def test_a_judge_that_is_on_gets_a_job_while_there_are_new_traces(found: Any) -> None:
    assert found["passes"] == [["run_online_trace_scorer"], ["run_online_trace_scorer"], []]


def test_jobs_that_were_stopped_are_resumed_once(found: Any) -> None:
    assert found["resumed"]["resumed"] == found["resumed"]["expected"]
