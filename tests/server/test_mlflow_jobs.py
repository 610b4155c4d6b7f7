"""MLflow's own jobs, run by the installed MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.judged_store import INVOKE, JudgedStore, assessments, jobs
from support.model_server import ModelServer, model_server
from support.processes import command_of, environment
from support.supervisor import Supervisor, mlflow_of
from support.waiting import wait_for

JSON = {"Content-Type": "application/json"}
IDLE_TIMEOUT = 3  # seconds
START = 120.0  # seconds for MLflow and for a job, whose imports take as long
PREPARE = """
import json, os, sys
from mlflow_proxy.server import mlflow_app
from mlflow_proxy.server.store.settings import StoreSettings
database, *arguments = sys.argv[1:]
settings = StoreSettings(f"sqlite:///{database}", f"sqlite:///{database}", "/artifacts")
mlflow_app.configure(settings)
mlflow_app.load()
from mlflow.server import app, handlers
handlers.initialize_backend_stores(
    settings.backend_store_uri, settings.registry_store_uri, settings.default_artifact_root
)
store = handlers._get_tracking_store()
"""


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A model server."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def store(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> JudgedStore:
    """A store whose endpoint asks `model`; tests work on copies."""
    return JudgedStore(tmp_path_factory.mktemp("store"), model.url)


def run(code: str, folder: Path, *arguments: str) -> Any:
    """Run `code` in MLflow's server without serving; returns what it prints last, from JSON."""
    command = [sys.executable, "-c", PREPARE + code, str(folder / "mlflow.db"), *arguments]
    printed = subprocess.run(
        command, env=environment(folder), check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(printed.stdout.splitlines()[-1])


def ask(supervisor: Supervisor, path: str, body: Any) -> dict[str, Any]:
    """Post to MLflow and return its answer."""
    status, _, answer = supervisor.request(path, "POST", JSON, json.dumps(body))
    assert status == 200, answer
    return json.loads(answer)


def processes_of_jobs(mlflow: psutil.Process) -> list[psutil.Process]:
    """The processes of jobs."""
    return [each for each in mlflow.children() if "_job_subproc_entry" in str(command_of(each))]


def test_a_job_keeps_mlflow_up_and_goes_on_after_a_crash(
    store: JudgedStore, model: ModelServer, tmp_path: Path
) -> None:
    database = store.copy_to(tmp_path)
    options = ["--job-execution", f"--idle-timeout={IDLE_TIMEOUT}"]
    model.answers.clear()
    with mlflow_of(tmp_path, options=options, **model.variables) as supervisor:
        wait_for(lambda: supervisor.status()["state"] == "ready", START)
        mlflow = supervisor.child
        assert not mlflow.children()
        ask(supervisor, INVOKE, store.invocation())
        submitted = time.monotonic()
        wait_for(lambda: model.requests, START)
        wait_for(lambda: time.monotonic() > submitted + IDLE_TIMEOUT + 1)
        (process,) = processes_of_jobs(mlflow)
        assert not [each for each in mlflow.net_connections() if each.status == "LISTEN"]

        mlflow.kill()
        wait_for(lambda: not process.is_running(), 5)
        wait_for(lambda: len(model.requests) == 2, START)
        assert supervisor.child.pid != mlflow.pid
        assert not assessments(database)
        model.answers.set()
        wait_for(lambda: supervisor.status()["state"] == "idle", START)
        assert assessments(database) == [("polite", "true", None)]
        ((name, _, result),) = jobs(database)
        assert name == "invoke_scorer"
        assert json.loads(result)[store.made["trace_id"]]["failures"] == []


def test_a_judge_that_is_on_gets_a_job_while_there_are_new_traces(
    store: JudgedStore, tmp_path: Path
) -> None:
    store.copy_to(tmp_path, judge_is_on=True)
    submitted = run(
        """
from mlflow.entities import ExperimentTag
from mlflow.utils import mlflow_tags
from mlflow_proxy.server.jobs import mlflow_jobs, periodic
from mlflow_proxy.server.jobs.runner import JobRunner

class Recorder(JobRunner):
    def submit(self, kind, limit, run):
        submitted.append(kind)

submitted, (experiment,) = [], arguments
assert mlflow_jobs.are_supported()
mlflow_jobs.install(Recorder(lambda: None), None)
tasks = periodic.PeriodicTasks()
passes = []
for checkpoint in (None, 1, 2**45):
    if checkpoint:
        tag = mlflow_tags.MLFLOW_LATEST_ONLINE_SCORING_TRACE_CHECKPOINT
        value = json.dumps({"timestamp_ms": checkpoint, "trace_id": None})
        store.set_experiment_tag(experiment, ExperimentTag(tag, value))
    for _ in range(2):  # the second in the same minute
        tasks.run()
    tasks._last_run -= periodic.MINUTE
    passes.append(list(submitted))
    submitted.clear()
print(json.dumps(passes))
""",
        tmp_path,
        store.made["experiment_id"],
    )
    assert submitted == [["run_online_trace_scorer"], ["run_online_trace_scorer"], []]


def test_jobs_that_were_stopped_are_resumed_once(store: JudgedStore, tmp_path: Path) -> None:
    store.copy_to(tmp_path)
    resumed = run(
        """
import time
from mlflow_proxy.server.jobs import mlflow_jobs
from mlflow_proxy.server.jobs.runner import JobRunner

class Recorder(JobRunner):
    def submit(self, kind, limit, run):
        submitted.append(run.args[0])

submitted = []
mlflow_jobs.install(Recorder(lambda: None), None)
job_store = handlers._get_job_store()
parameters = arguments[0]
mlflow_jobs.resume_unfinished(time.time())
assert not submitted
ended, running, pending = (job_store.create_job("invoke_scorer", parameters) for _ in range(3))
job_store.start_job(ended.job_id)
job_store.finish_job(ended.job_id, "1")
job_store.start_job(running.job_id)
time.sleep(0.01)
began = time.time()
later = job_store.create_job("invoke_scorer", parameters)
mlflow_jobs.resume_unfinished(began)
assert later.creation_time >= began * 1000 - 1
print(json.dumps(sorted(submitted) == sorted([running.job_id, pending.job_id])))
""",
        tmp_path,
        json.dumps(store.invocation()),
    )
    assert resumed


def test_a_run_that_a_request_leaves_active_is_ended(store: JudgedStore, tmp_path: Path) -> None:
    """As MLflow's issue detection does when its job is refused."""
    store.copy_to(tmp_path)
    with_ours, without = run(
        """
import mlflow
experiment, = arguments

def begin():
    mlflow.start_run(experiment_id=experiment)
    raise ZeroDivisionError

app.add_url_rule("/begin", "begin", begin)

def statuses():
    client = app.test_client()
    answers = [client.get("/begin").status_code for _ in range(2)]
    runs = mlflow.search_runs([experiment], output_format="list")
    is_active = mlflow.active_run() is not None
    return answers, sorted(run.info.status for run in runs), is_active

with_ours = statuses()
app.teardown_request_funcs[None].remove(mlflow_app._end_active_runs)
print(json.dumps([with_ours, statuses()]))
""",
        tmp_path,
        store.made["experiment_id"],
    )
    assert with_ours == [[500, 500], ["FAILED", "FAILED"], False]
    assert without[2]  # and the second request began no run
    assert without[1] == ["FAILED", "FAILED", "RUNNING"]
