"""In which of MLflow's two modes a page starts, unless the user has chosen one.

MLflow's own default is GenAI, whose pages have traces but no table of runs. Those of model training
have both, so they are the default where the store does not have more traces than training runs:
also where it is empty, because a page that is open shows either kind as soon as it is logged.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from enum import Enum

TIMEOUT = 0.3  # seconds that a page waits for the answer
RUN_TYPE = "mlflow.runType"  # tag of the runs of GenAI: evaluations, detection of issues, tests

_logger = logging.getLogger(__name__)


class Mode(Enum):
    """The modes, in MLflow's words."""

    GENAI = "genai"
    TRAINING = "machine_learning"


def of(training_runs: int, traces: int) -> Mode:
    """The mode for a store with so many training runs and traces."""
    return Mode.GENAI if traces > training_runs else Mode.TRAINING


class CurrentMode:
    """The mode for what the store has now, by `find`, which may raise anything.

    A page waits `timeout` seconds at most. While the store does not answer, the mode is that of the
    last answer, and `find` is not called a second time. An answer is used again for `max_age`
    seconds.
    """

    def __init__(
        self,
        find: Callable[[], Awaitable[Mode | None]],
        *,
        timeout: float = TIMEOUT,
        max_age: float = 0.0,
    ) -> None:
        self._find = find
        self._timeout = timeout
        self._max_age = max_age
        self._finding: asyncio.Task[None] | None = None
        self._last: Mode | None = None
        self._found_at = -float("inf")

    async def __call__(self) -> Mode | None:
        """The mode; None if it is not known, so that MLflow's default counts."""
        if time.monotonic() - self._found_at >= self._max_age:
            if self._finding is None or self._finding.done():
                self._finding = asyncio.create_task(self._update())
            await asyncio.wait({self._finding}, timeout=self._timeout)
        return self._last

    async def _update(self) -> None:
        try:
            self._last = await self._find()
        except Exception as error:  # a driver's or the network's; the page does not depend on it
            _logger.debug("The dashboard's mode is not known: %s", type(error).__name__)
        else:
            self._found_at = time.monotonic()
