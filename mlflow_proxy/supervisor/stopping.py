"""Stops MLflow processes in the background: an earlier one may still answer beside a new one."""

import asyncio
import logging

from mlflow_proxy.shared.reports import Idle

from .mlflow_process import MLflowProcess
from .state import End, Outdated, Requested, describe_exit

_logger = logging.getLogger(__name__)


class Stopping:
    """The processes that are being stopped."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def stop(self, process: MLflowProcess, end: End | None) -> asyncio.Task[None]:
        """Stop `process`, whose life has come to this `end`.

        One that works is stopped without a time limit, once it has answered its requests.
        """
        task = asyncio.create_task(_stop(process, end))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


async def _stop(process: MLflowProcess, end: End | None) -> None:
    try:
        if await _completes(process, end):
            await process.terminate(timeout=None)
    finally:
        how = describe_exit(await process.terminate())
        _logger.info("MLflow ended (pid %d): %s", process.pid, how)


async def _completes(process: MLflowProcess, end: End | None) -> bool:
    """Whether `process` leaves its socket to the supervisor and answers what it has accepted."""
    if isinstance(end, Requested):
        return end.is_ready and await process.hand_over()
    return isinstance(end, Idle | Outdated)
