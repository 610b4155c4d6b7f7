"""Starts what runs jobs, and ends their processes with this one."""

import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from mlflow_proxy.reports import Busy
from mlflow_proxy.server.serve import Retirement
from mlflow_proxy.server.store.locks import Locks

from . import mlflow_jobs
from .periodic import PeriodicTasks
from .runner import JobRunner

SETTLE = 5.0  # seconds for the page that has started MLflow to load, before jobs use the processor
INTERVAL = 15.0  # seconds between scans for unfinished jobs and due tasks

T = TypeVar("T")

_logger = logging.getLogger(__name__)


@contextmanager
def running(parent: Path, retirement: Retirement) -> Iterator[None]:
    """Run MLflow's jobs within the context; its end ends them. The stores must be open.

    So does the `retirement` of this process. Their files are in a folder below `parent`.
    """
    # An earlier MLflow process may still complete its requests, and then removes its own files.
    folder = parent / str(os.getpid())
    runner = JobRunner(lambda is_busy: retirement.report(Busy(is_busy)))
    locks = mlflow_jobs.open_locks()
    retirement.end_jobs = partial(_end_jobs, runner, locks)
    mlflow_jobs.install(runner, folder, locks)
    arguments = (runner, locks, time.time())
    threading.Thread(target=_keep, args=arguments, daemon=True).start()
    try:
        yield
    finally:
        if runner.is_busy:
            end_process_group()
        locks.release_all()
        shutil.rmtree(folder, ignore_errors=True)


def _keep(runner: JobRunner, locks: Locks, started: float) -> None:
    """Resume unfinished jobs and submit periodic ones."""
    time.sleep(SETTLE)
    resume = partial(mlflow_jobs.resume_unfinished, started, locks)
    tasks = PeriodicTasks(locks)
    should_scan = True
    was_told = False
    while not runner.is_closed:
        if should_scan:
            held_elsewhere = _logging_errors(resume)
            if held_elsewhere and not was_told:
                _logger.info("Another process on this store runs jobs of it")
                was_told = True
            should_scan = held_elsewhere is not False  # they may be left when that process ends
        _logging_errors(tasks.run)
        time.sleep(INTERVAL)


def _end_jobs(runner: JobRunner, locks: Locks) -> None:
    """End jobs without a result, as `end_process_group` does, but let this process end later."""
    if runner.is_busy:
        runner.close()
        if os.getpgrp() == os.getpid():
            handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
            signal.signal(signal.SIGTERM, handler)
    locks.release_all()


def end_process_group() -> None:
    """End this process and those of jobs at once, so that no job is recorded as failed.

    MLflow resumes them when it starts.
    """
    if os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.killpg(0, signal.SIGTERM)


def _logging_errors(function: Callable[[], T]) -> T | None:
    try:
        return function()
    except Exception:  # the database may be away for a while
        _logger.exception("MLflow's jobs could not be looked for")
        return None
