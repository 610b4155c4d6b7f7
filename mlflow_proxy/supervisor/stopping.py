"""Stops MLflow processes in the background: an earlier one may still answer beside a new one."""

import asyncio
import logging

from .mlflow_process import MLflowProcess
from .state import describe_exit

_logger = logging.getLogger(__name__)


class Stopping:
    """The processes that are being stopped."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

    def stop(self, process: MLflowProcess, complete: bool) -> asyncio.Task[None]:
        """Stop `process`; `complete`: without a time limit, once it has answered its requests."""
        task = asyncio.create_task(_stop(process, complete))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


async def _stop(process: MLflowProcess, complete: bool) -> None:
    try:
        if complete:
            await process.terminate(timeout=None)
    finally:
        how = describe_exit(await process.terminate())
        _logger.info("MLflow ended (pid %d): %s", process.pid, how)
