"""Tracks when MLflow was last used."""

import math
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.shared.activity import ATTENDED, seconds_since_use
from mlflow_proxy.shared.addresses import IDLE_HEADER


class LastUse:
    """When MLflow was last used; `UseTracker` and jobs write it, the server reads it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._time = clock()
        self.in_flight = 0
        """Requests that count as use and are not answered yet."""
        self.is_busy: Callable[[], bool] = lambda: False
        """Whether a job runs, which counts as use."""

    @property
    def seconds(self) -> float:
        """Seconds since the last use; 0 while a job runs or a request is in flight that is use."""
        return 0.0 if self.in_flight or self.is_busy() else self._clock() - self._time

    def record(self, seconds_ago: float) -> None:
        """Record a use, possibly an earlier one than the last."""
        self._time = max(self._time, self._clock() - seconds_ago)


class UseTracker:
    """Records each request that counts as use, from its head to the end of its response."""

    def __init__(self, app: ASGIApp, last_use: LastUse) -> None:
        self._app = app
        self._last_use = last_use

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        seconds = seconds_of(scope)
        self._last_use.record(seconds)
        if seconds > ATTENDED:
            await self._app(scope, receive, send)
            return
        self._last_use.in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._last_use.in_flight -= 1
            self._last_use.record(seconds)


def seconds_of(scope: Scope) -> float:
    """Seconds since the use that caused this request; infinite if no use caused it."""
    if scope["type"] == "lifespan":
        return math.inf
    return seconds_since_use(scope["path"], Headers(scope=scope).get(IDLE_HEADER))
