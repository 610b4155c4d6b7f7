"""Try what the package does with MLflow's jobs, in MLflow's server without serving.

    python try_jobs.py DATABASE EXPERIMENT_ID PARAMETERS

The experiment has a trace and a judge that is on; the parameters are those of a job. Prints what
was found, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from mlflow_proxy.server import mlflow_app
from mlflow_proxy.server.jobs import PeriodicTasks, mlflow_jobs
from mlflow_proxy.server.jobs.mlflow_jobs import JobRunner
from mlflow_proxy.server.store.locks import Locks
from mlflow_proxy.server.store.settings import StoreSettings


class Recorder(JobRunner):
    """Records the jobs, and runs none."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.kinds: list[str] = []
        self.ids: list[str] = []

    def submit(self, kind: str, limit: int, run: Any) -> None:
        """Record a job."""
        self.kinds.append(kind)
        self.ids.append(run.args[0])


def jobs_of_passes(recorder: Recorder, experiment_id: str) -> list[list[str]]:
    """The jobs of each minute: the judge has seen nothing, an old trace, the newest trace."""
    from mlflow.entities import ExperimentTag
    from mlflow.server.handlers import _get_tracking_store
    from mlflow.utils import mlflow_tags

    tasks, passes = PeriodicTasks(Locks()), []
    for checkpoint in (None, 1, 2**45):
        if checkpoint:
            tag = mlflow_tags.MLFLOW_LATEST_ONLINE_SCORING_TRACE_CHECKPOINT
            value = json.dumps({"timestamp_ms": checkpoint, "trace_id": None})
            _get_tracking_store().set_experiment_tag(experiment_id, ExperimentTag(tag, value))
        tasks.run()
        tasks.run()  # in the same minute, or in the next
        passes.append(sorted(set(recorder.kinds)))
        recorder.kinds.clear()
        tasks._last_run = None
    return passes


def resumed_jobs(recorder: Recorder, parameters: str, locks: Locks) -> dict[str, list[str]]:
    """The jobs that are resumed, and those that should be."""
    from mlflow.server.handlers import _get_job_store

    store = _get_job_store()
    for job in store.list_jobs():
        store.cancel_job(job.job_id)
    recorder.ids.clear()
    mlflow_jobs.resume_unfinished(time.time(), locks)
    assert not recorder.ids
    ended, running, pending = (store.create_job("invoke_scorer", parameters) for _ in range(3))
    store.start_job(ended.job_id)
    store.finish_job(ended.job_id, "1")
    store.start_job(running.job_id)
    time.sleep(0.01)
    began = time.time()
    time.sleep(0.01)
    store.create_job("invoke_scorer", parameters)
    for _ in range(2):
        mlflow_jobs.resume_unfinished(began, locks)
    expected = [running.job_id, pending.job_id]
    return {"resumed": sorted(recorder.ids), "expected": sorted(expected)}


if __name__ == "__main__":
    database, experiment, parameters = sys.argv[1:]
    uri = f"sqlite:///{database}"
    settings = StoreSettings.parse(uri, uri, "/artifacts")
    mlflow_app.configure(settings)
    mlflow_app.load()
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(uri, uri, "/artifacts")
    assert not mlflow_jobs.why_not(settings, is_wanted=True)
    recorder = Recorder()
    locks = Locks(settings.backend_store)
    mlflow_jobs.install(recorder, Path("unused"), locks)
    found = {
        "passes": jobs_of_passes(recorder, experiment),
        "resumed": resumed_jobs(recorder, parameters, locks),
    }
    print(json.dumps(found))
