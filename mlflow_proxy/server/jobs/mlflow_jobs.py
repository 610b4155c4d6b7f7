"""What is private to MLflow about its jobs.

`submit_job` writes a job into the store and puts it into a queue of the package huey; a consumer of
that queue calls `_exec_job`, which starts the job's process, waits for it and writes its result.
Here `Queue` stands in for huey's, and calls `_exec_job` in a thread of the MLflow process.

Sources: mlflow/server/jobs/__init__.py, mlflow/server/jobs/utils.py, `_run_server` in
mlflow/server/__init__.py. tests/server/test_mlflow_jobs.py runs all of it on the installed MLflow.
"""

import json
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlflow_proxy.server.store.locks import Locks
from mlflow_proxy.server.store.settings import StoreSettings
from mlflow_proxy.stores import Database

ENABLED = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"
# Another engine than huey's, which refuses some jobs after it has begun their runs.
ENGINE = "MLFLOW_SERVER_JOB_EXECUTION_ENGINE"
WORKSPACES = "MLFLOW_ENABLE_WORKSPACES"
SETTING = "c.MLflowProxy.job_execution"
# A job's process has MLflow's imports, 350 MB, and uses a core for them.
MAX_JOBS = max(2, os.cpu_count() or 1)  # of a kind at once
NEEDED = ("_exec_job", "_get_or_init_huey_instance", "_load_function", "tempfile")  # of MLflow
UNFINISHED = ("PENDING", "RUNNING", "NEEDS_RECOVERY")

_logger = logging.getLogger(__name__)

Run = Callable[[], float | None]
"""Runs a job to its end; returns the seconds after which to run it again, or None."""


class JobRunner:
    """Runs what is submitted; `report_busy` is told when the first job begins and the last ends."""

    def __init__(self, report_busy: Callable[[bool], None]) -> None:
        self._report_busy = report_busy
        self._lock = threading.Lock()
        self._free: dict[str, threading.Semaphore] = {}
        self._unfinished = 0
        self.is_closed = False
        """Whether no job begins or ends any more."""

    @property
    def is_busy(self) -> bool:
        """Whether a job runs, waits for others of its kind, or waits to run again."""
        return self._unfinished > 0 and not self.is_closed

    def end(self) -> None:
        """End jobs at once and without a result, so that MLflow resumes them when it starts.

        Their processes are of this one's group.
        """
        was_busy, self.is_closed = self.is_busy, True
        if was_busy and os.getpgrp() == os.getpid():
            handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
            signal.signal(signal.SIGTERM, handler)

    def wait_if_closed(self) -> None:
        """Block for ever in a closed runner, so that a job has no result."""
        if self.is_closed:
            threading.Event().wait()

    def submit(self, kind: str, limit: int, run: Run) -> None:
        """Have `run` called once fewer than `limit` jobs of this kind run; returns at once."""
        with self._lock:
            free = self._free.setdefault(kind, threading.Semaphore(limit))
            self._unfinished += 1
            if self._unfinished == 1:
                self._report_busy(True)
        # A daemon: this process does not wait for jobs when it ends.
        threading.Thread(target=self._run, args=(free, run), name=kind, daemon=True).start()

    def _run(self, free: threading.Semaphore, run: Run) -> None:
        delay: float | None = 0.0
        try:
            while delay is not None:
                time.sleep(delay)
                with free:
                    self.wait_if_closed()
                    delay = run()
        except Exception:
            _logger.exception("A job could not be run")
        with self._lock:
            self._unfinished -= 1
            if not self._unfinished:
                self._report_busy(False)


def why_not(settings: StoreSettings, is_wanted: bool) -> str:
    """Why jobs do not run here, for a person; empty if they do. MLflow must have been loaded."""
    if not is_wanted:
        return (
            "MLflow's background jobs are switched off in this Jupyter: set "
            f"{SETTING} = True in its configuration and restart it."
        )
    if not isinstance(settings.backend_store, Database):
        return f"MLflow's background jobs ({SETTING}) need a database as the store of runs."
    if os.environ.get(WORKSPACES, "").lower() in ("true", "1"):
        return f"MLflow's background jobs ({SETTING}) do not run with {WORKSPACES}."
    with suppress(ImportError):
        from mlflow.server.jobs import utils

        if all(hasattr(utils, name) for name in NEEDED):
            return ""
    return f"The background jobs of this release of MLflow cannot be run here ({SETTING})."


def install(runner: JobRunner, folder: Path, locks: Locks) -> None:
    """Have `runner` run MLflow's jobs, whose files are in `folder`."""
    from mlflow.server.jobs import utils

    @contextmanager
    def job_folder() -> Iterator[str]:
        try:
            with tempfile.TemporaryDirectory(dir=folder) as path:
                yield path
        finally:  # between the job's end and its result
            runner.wait_if_closed()

    os.environ[ENABLED] = "true"
    os.environ.pop(ENGINE, None)
    utils._get_or_init_huey_instance = lambda name: Queue(name, runner, locks)
    # MLflow leaves the folder of a job behind when it is killed. This one is removed.
    utils.tempfile = SimpleNamespace(TemporaryDirectory=job_folder)


@dataclass
class Queue:
    """Stands in for a `HueyInstance`, and for the `Huey` in it."""

    _name: str
    _runner: JobRunner
    _locks: Locks

    @property
    def instance(self) -> "Queue":
        return self

    def submit_task(self, job_id: str, workspace: str | None, *arguments: Any) -> None:
        """Have a job run that is in the store; returns at once."""
        self._locks.acquire(job_id)  # no other process has it: it is new, or was acquired before
        limit = min(int(_metadata(self._name).max_workers), MAX_JOBS)
        # MLflow <=3.10: names a workspace even where there are none.
        self._runner.submit(self._name, limit, partial(self._execute, job_id, None, *arguments))

    def _execute(self, job_id: str, *arguments: Any) -> float | None:
        from huey.exceptions import RetryTask
        from mlflow.server.jobs import utils

        delay = None
        try:
            utils._exec_job(job_id, *arguments)  # records errors
        except RetryTask as retry:
            delay = float(retry.delay or 0)
        finally:
            if delay is None:
                self._locks.release(job_id)
        return delay

    def lock_task(self, key: str) -> SimpleNamespace:
        """The lock of an exclusive job, in place of huey's `TaskLock`."""

        def acquire() -> None:
            from huey.exceptions import TaskLockedException

            if not self._locks.acquire(key):
                raise TaskLockedException(key)

        return SimpleNamespace(acquire=acquire, release=partial(self._locks.release, key))


def _metadata(job_name: str) -> Any:
    from mlflow.server.jobs import utils

    return utils._load_function(utils.get_job_fn_fullname(job_name))._job_fn_metadata


def resume_unfinished(before: float, locks: Locks) -> None:
    """Submit the jobs that were submitted before the time `before`, and that no process runs.

    `_enqueue_unfinished_jobs` of MLflow resumes these, too.
    """
    from mlflow.entities._job_status import JobStatus
    from mlflow.server.handlers import _get_job_store
    from mlflow.server.jobs import utils

    unfinished = [JobStatus[name] for name in UNFINISHED if name in JobStatus.__members__]
    status = [each.to_int() for each in unfinished]
    if not finds("jobs", "status", lambda column: column.in_(status)):
        return
    store = _get_job_store()
    for job in list(store.list_jobs(statuses=unfinished, end_timestamp=int(before * 1000))):
        if not locks.acquire(job.job_id):
            continue
        if store.get_job(job.job_id).status not in unfinished:  # it has ended meanwhile
            locks.release(job.job_id)
            continue
        if job.status != JobStatus.PENDING:
            store.reset_job(job.job_id)
        name, arguments = job.job_name, json.loads(job.params)
        queue, is_exclusive = utils._get_or_init_huey_instance(name), _metadata(name).exclusive
        queue.submit_task(job.job_id, None, name, arguments, job.timeout, is_exclusive)


def finds(table: str, column: str, condition: Callable[[Any], Any]) -> bool:
    """Whether a row of the store's `table` meets the `condition` of its `column`."""
    import sqlalchemy
    from mlflow.server.handlers import _get_tracking_store

    rows = sqlalchemy.table(table, sqlalchemy.column(column))
    query = sqlalchemy.select(rows.c[column]).where(condition(rows.c[column])).limit(1)
    with _get_tracking_store().engine.connect() as connection:  # no further one than MLflow's own
        return connection.execute(query).first() is not None
