"""Follows an MLflow process from its start to what ends its service."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from mlflow_proxy.shared.reports import Idle, StoreReplaced

from . import startup
from .mlflow_process import MLflowProcess
from .state import Crashed, End, Outdated, Requested
from .transitions import Transitions

_logger = logging.getLogger(__name__)


async def unless_requested(
    following: Coroutine[Any, Any, End], process: MLflowProcess, end: asyncio.Future[Requested]
) -> End:
    """Return what `following` finds, unless the user's `end` comes first."""
    task = asyncio.ensure_future(following)
    ends: set[asyncio.Future[Any]] = {task, end}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not end.done():
        return task.result()
    _logger.info("Stopping MLflow (pid %d): requested", process.pid)
    return end.result()


async def follow(
    process: MLflowProcess,
    states: Transitions,
    end: asyncio.Future[Requested],
    start_timeout: float,
) -> End:
    """Follow a start, then leave the socket to MLflow until it ends or reports its end.

    `start_timeout` is in seconds.
    """
    status = states.status
    _logger.info("Started MLflow (pid %d): %s", process.pid, states.why)
    if failure := await startup.follow(process, status, start_timeout):
        if process.was_killed:
            return Crashed(f"{failure.reason} {failure.remedy}")
        return failure
    if end.done():
        return end.result()
    seconds, began = status.progress.seconds, time.monotonic()
    states.enter_ready()
    _logger.info("MLflow is ready (pid %d) after %.1f s", process.pid, seconds)
    while report := await process.next_report():
        if isinstance(report, Idle):
            what = "Stopping MLflow (pid %d) after %g s without use"
            _logger.info(what, process.pid, report.seconds)
            return report
        if isinstance(report, StoreReplaced):
            what = "Stopping MLflow (pid %d): %s is no longer the file that it has opened"
            _logger.warning(what, process.pid, report.path)
            return Outdated(report.path, served=time.monotonic() - began)
    await process.wait()
    return Crashed("MLflow ended unexpectedly.", served=time.monotonic() - began)
