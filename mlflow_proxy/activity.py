"""What counts as use of MLflow, for its idle time and for Jupyter's last activity.

Use is a page load, a user's click, key or scroll in the dashboard, or an API client's request. An
open dashboard refreshes itself with the same requests that a user's clicks cause. A script in the
dashboard (server/dashboard/input_reporter.js) therefore adds to each request the seconds since the
user's last input. To watch a training is use without input: while a visible page shows a run that
is still running, the script sends 0, for up to an hour after the last input.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from .addresses import CONTROL, IDLE_HEADER, NAME, STATIC_FILE, STATUS, TELEMETRY

# Seconds from an input to the last request that it causes. MLflow's tables refresh themselves every
# 30 s; this must be less, so that a click before a refresh does not make the refresh use.
ATTENDED = 15.0
# Requests that never count as use: parts of a page, the polling of the loading page and JupyterLab,
# and the dashboard's telemetry, which a worker without our script sends.
NEVER_USE = (STATUS, CONTROL, TELEMETRY)


def seconds_since_use(path: str, idle: str | None) -> float:
    """Seconds since the use that caused a request; infinite if no use caused it.

    `path` is the request's, below the dashboard's address; `idle` is its `IDLE_HEADER`, if any.
    """
    if path.startswith(NEVER_USE) or STATIC_FILE.fullmatch(path):
        return math.inf
    try:
        seconds = float(idle or 0)
    except ValueError:
        return 0.0
    return seconds if seconds > 0 else 0.0  # also for a NaN


def is_use(path: str, idle: str | None) -> bool:
    """Whether such a request counts as use now."""
    return seconds_since_use(path, idle) <= ATTENDED


class LastUse:
    """When MLflow was last used; Jupyter's handlers record it, its life reads it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._time = clock()
        self._in_flight = 0
        self.is_busy = False

    @property
    def seconds(self) -> float:
        """Seconds since the last use; 0 while a job runs or a request is in flight that is use."""
        return 0.0 if self._in_flight or self.is_busy else self._clock() - self._time

    def record(self, seconds_ago: float = 0.0) -> None:
        """Record a use, possibly an earlier one than the last."""
        self._time = max(self._time, self._clock() - seconds_ago)

    def record_jobs(self, is_busy: bool) -> None:
        """Record whether one of MLflow's jobs runs: use until it ends, or MLflow by a crash."""
        if self.is_busy:
            self.record()
        self.is_busy = is_busy

    @contextmanager
    def request(self, path: str, idle: str | None) -> Iterator[None]:
        """Record a request, from its head to the end of its response."""
        seconds = seconds_since_use(path, idle)
        self.record(seconds)
        if seconds > ATTENDED:
            yield
            return
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self.record(seconds)


def record_activity(settings: dict[str, Any]) -> None:
    """Record use of MLflow as activity in the `settings` of Jupyter's web application.

    A hub's idle culler reads it.
    """
    settings.setdefault("last_activity_times", {})[NAME] = datetime.now(timezone.utc)


def counts_as_activity(handler: Any) -> bool:
    """Whether the request of jupyter-server-proxy's `handler` is use of MLflow."""
    path = handler.request.path.removeprefix(f"{handler.base_url}{handler.name}")
    return is_use(path, handler.request.headers.get(IDLE_HEADER))
