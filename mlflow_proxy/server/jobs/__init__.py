"""MLflow's background jobs, run in processes of their own without a runner that waits for them.

`mlflow server` keeps a process for each kind of job, which polls a queue for it. Here the MLflow
process starts the job's process itself, so there is nothing to keep while there is no job.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mlflow_proxy.reports import Busy, Report
from mlflow_proxy.server.store.locks import Locks
from mlflow_proxy.stores import Store

from . import mlflow_jobs
from .mlflow_jobs import JobRunner
from .periodic import PeriodicTasks

SETTLE = 5.0  # seconds for the page that has started MLflow to load, before jobs use the processor
INTERVAL = 15.0  # seconds between scans for unfinished jobs and due tasks

_logger = logging.getLogger(__name__)


def start(store: Store, folder: Path, report: Callable[[Report], None]) -> Callable[[], None]:
    """Run the jobs in `store`, which is open; returns what ends them.

    Their files are in `folder`, which ends with this process.
    """
    runner = JobRunner(lambda is_busy: report(Busy(is_busy)))
    locks = Locks.of(store)

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
