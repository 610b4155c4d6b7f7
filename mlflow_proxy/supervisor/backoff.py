"""How long to wait before MLflow is started again: after a crash, and after a failed start."""

import math
import time
from collections.abc import Callable

FIRST_DELAY = 0.5  # seconds; doubles with each crash in a row
LAST_DELAY = 30.0  # seconds
HEALTHY = 60.0  # seconds of service after which a crash counts as the first again
# Seconds after a failed start in which no request starts MLflow again, so that users can read why.
# For programs, this doubles with each failure in a row.
RETRY_INTERVAL = 3.0
LAST_RETRY_INTERVAL = 60.0


class Backoff:
    """Counts crashes in a row and gives the delay after each."""

    def __init__(self) -> None:
        self.crashes = 0
        self._next = FIRST_DELAY

    def after(self, served: float) -> float:
        """Count a crash after `served` seconds of service; returns the seconds to wait."""
        if served > HEALTHY:
            self.crashes, self._next = 0, FIRST_DELAY
        self.crashes += 1
        delay, self._next = self._next, min(2 * self._next, LAST_DELAY)
        return delay


class Retries:
    """Counts failed starts in a row and decides when a request may start MLflow again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget all failures, because MLflow is ready."""
        self._next = RETRY_INTERVAL
        self._for_people = self._for_programs = 0.0

    def count(self) -> None:
        """Count a failure that has just happened."""
        self._for_people = self._clock() + RETRY_INTERVAL
        self._for_programs = self._clock() + self._next
        self._next = min(2 * self._next, LAST_RETRY_INTERVAL)

    def leave_to_people(self) -> None:
        """Start MLflow again for people only, until the next failure or until MLflow is ready."""
        self._for_programs = math.inf

    @property
    def is_due_for_people(self) -> bool:
        """Whether a page load may start MLflow again."""
        return self._clock() >= self._for_people

    @property
    def seconds(self) -> float:
        """Seconds until a program's request may start MLflow again; 0: now, infinite: never."""
        return max(0.0, self._for_programs - self._clock())
