"""Starts what runs jobs, and ends their processes with this one."""

import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from mlflow_proxy.server.handover import Handover
from mlflow_proxy.server.local_address import LocalAddress
from mlflow_proxy.server.middleware.use_tracker import LastUse
from mlflow_proxy.server.store.locks import Locks
from mlflow_proxy.shared.addresses import JOBS_FOLDER

from . import mlflow_jobs
from .periodic import PeriodicTasks
from .runner import JobRunner

SETTLE = 5.0  # seconds for the page that has started MLflow to load, before jobs use the processor
INTERVAL = 15.0  # seconds between reports of use, and between looks at the periodic tasks

T = TypeVar("T")

_logger = logging.getLogger(__name__)


@contextmanager
def running(
    listener: socket.socket,
    last_use: LastUse,
    address: LocalAddress | None,
    handover: Handover,
) -> Iterator[None]:
    """Run MLflow's jobs within the context; its end ends them. The stores must be open.

    So does a `handover` that the supervisor asks for. Their files are in the private folder of
    `listener`; `address` tells Jupyter that they run.
    """
    # An earlier MLflow process may still complete its requests, and then removes its own files.
    folder = Path(listener.getsockname()).parent / JOBS_FOLDER / str(os.getpid())
    runner = JobRunner(has_ended=lambda: last_use.record(0.0))
    has_looked = threading.Event()
    # Until then, a job may be there that goes on.
    last_use.is_busy = lambda: runner.is_busy or not has_looked.is_set()
    locks = mlflow_jobs.open_locks()
    handover.end_jobs = partial(_end_jobs, runner, locks)
    mlflow_jobs.install(runner, folder, locks)
    arguments = (runner, locks, address, time.time(), has_looked)
    threading.Thread(target=_keep, args=arguments, daemon=True).start()
    try:
        yield
    finally:
        if runner.is_busy:
            end_process_group()
        locks.release_all()
        shutil.rmtree(folder, ignore_errors=True)


def _keep(
    runner: JobRunner,
    locks: Locks,
    address: LocalAddress | None,
    started: float,
    has_looked: threading.Event,
) -> None:
    """Resume jobs, submit periodic ones, and let Jupyter know while some run."""
    time.sleep(SETTLE)
    resume = partial(mlflow_jobs.resume_unfinished, started, locks)
    tasks = PeriodicTasks(locks)
    looks = True
    while not runner.is_closed:
        if looks:
            others_run = _logging_errors(resume)
            if others_run and not has_looked.is_set():
                _logger.info("Another process on this store runs jobs of it")
            looks = others_run is not False  # they may be left over when that process ends
        has_looked.set()
        _logging_errors(tasks.run)
        if runner.is_busy and address:
            address.report_use()
        time.sleep(INTERVAL)


def _end_jobs(runner: JobRunner, locks: Locks) -> None:
    """End jobs without a result, as `end_process_group` does, but let this process end later."""
    if runner.is_busy:
        runner.close()
        if os.getpgrp() == os.getpid():
            # uvicorn, which stops as well, gets the signal by a handler and completes its requests.
            os.killpg(0, signal.SIGTERM)
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
