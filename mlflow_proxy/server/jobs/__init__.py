"""MLflow's background jobs, run in processes of their own without a runner that waits for them.

`mlflow server` keeps a process for each kind of job, which polls a queue for it. Here the MLflow
process starts the job's process itself, so there is nothing to keep while there is no job. One of
its threads looks for unfinished jobs and for tasks that are due.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlflow_proxy.reports import Busy, Report
from mlflow_proxy.server.store.locks import Locks
from mlflow_proxy.stores import Store

from . import mlflow_jobs
from .mlflow_jobs import JobRunner, finds

SETTLE = 5.0  # seconds for the page that has started MLflow to load, before jobs use the processor
INTERVAL = 15.0  # seconds between scans for unfinished jobs and due tasks
SCHEDULE = "mlflow.issueDetection.schedule"  # MLflow >=3.18: a tag of experiments
# With these, there may be something to do at any time.
VARIABLES = ("MLFLOW_TRACE_ARCHIVAL_CONFIG", "MLFLOW_SQL_TRACE_ROLLUPS_ENABLED")
ENABLED = "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS"
ONLINE_SCORING = "online_scoring_scheduler"
LOCK = "periodic tasks"

_logger = logging.getLogger(__name__)

Task = Callable[[], Any]


def start(store: Store, folder: Path, report: Callable[[Report], None]) -> Callable[[], None]:
    """Run the jobs in `store`, which is open; returns what ends them.

    Their files are in `folder`, which ends with this process.
    """
    runner = JobRunner(lambda is_busy: report(Busy(is_busy)))
    locks = Locks(store)

    def end() -> None:
        runner.end()
        locks.release_all()

    folder.mkdir(exist_ok=True)
    mlflow_jobs.install(runner, folder, locks)
    threading.Thread(target=_keep, args=(runner, locks, time.time()), daemon=True).start()
    return end


def _keep(runner: JobRunner, locks: Locks, started: float) -> None:
    """Resume jobs that were unfinished when this process `started`, and submit periodic ones."""
    time.sleep(SETTLE)
    tasks = PeriodicTasks(locks)
    while not runner.is_closed:
        try:
            mlflow_jobs.resume_unfinished(started, locks)  # also those of a process that has ended
            tasks.run()
        except Exception:  # the database may be away for a while
            _logger.exception("MLflow's jobs could not be looked for")
        time.sleep(INTERVAL)


class PeriodicTasks:
    """What MLflow's server does every minute: it submits jobs, above all for online judges.

    A judge that is on is asked for its jobs only while there are traces that it has not seen,
    because each costs the imports of a process. So a judge that waits for traces does not count
    as use. Of the processes on one store, one does this for as long as it lives.
    `register_periodic_tasks` takes this for a `Huey`.
    """

    def __init__(self, locks: Locks) -> None:
        self._locks = locks
        self._tasks: list[tuple[Callable[[datetime], bool], Task]] = []
        self._last_run: datetime | None = None

    def run(self) -> None:
        """Run the tasks that are due, once in a minute, if there may be work for them."""
        # As huey's consumer counts them.
        minute = datetime.now(timezone.utc).replace(tzinfo=None, second=0, microsecond=0)
        if minute == self._last_run:
            return
        self._last_run = minute
        if _may_have_work() and (LOCK in self._locks.held or self._locks.acquire(LOCK)):
            if not self._tasks:
                from mlflow.server.jobs import utils

                utils.register_periodic_tasks(self)
            for is_due, task in self._tasks:
                if is_due(minute) and _has_work(task):
                    task()  # logs its errors

    def periodic_task(self, is_due: Callable[[datetime], bool]) -> Callable[[Task], None]:
        return lambda task: self._tasks.append((is_due, task))

    def lock_task(self, _: str) -> Callable[[Task], Task]:
        """A decorator of a task that must not run twice at once; none does here."""
        return lambda task: task


def _may_have_work() -> bool:
    if os.environ.get(ENABLED, "").lower() in ("false", "0"):
        return False
    if any(os.environ.get(name) for name in VARIABLES):
        return True
    has_judges = finds("online_scoring_configs", "sample_rate", lambda column: column > 0)
    return has_judges or finds("experiment_tags", "key", lambda column: column == SCHEDULE)


def _has_work(task: Task) -> bool:
    """Whether `task` has work; for judges: one has not seen the newest trace."""
    if task.__name__ != ONLINE_SCORING:
        return True
    from mlflow.server.handlers import _get_tracking_store

    store = _get_tracking_store()
    return any(_has_unseen_trace(store, judge) for judge in store.get_active_online_scorers())


def _has_unseen_trace(store: Any, judge: Any) -> bool:
    from mlflow.utils import mlflow_tags

    experiment_id = judge.online_config.experiment_id
    newest = store.search_traces(
        locations=[experiment_id], max_results=1, order_by=["timestamp_ms DESC"]
    )[0]
    if not newest:
        return False
    of_sessions = json.loads(judge.serialized_scorer).get("is_session_level_scorer")
    tag = (
        mlflow_tags.MLFLOW_LATEST_ONLINE_SCORING_SESSION_CHECKPOINT
        if of_sessions
        else mlflow_tags.MLFLOW_LATEST_ONLINE_SCORING_TRACE_CHECKPOINT
    )
    checkpoint = json.loads(store.get_experiment(experiment_id).tags.get(tag) or "{}")
    return bool(newest[0].timestamp_ms > checkpoint.get("timestamp_ms", -1))
