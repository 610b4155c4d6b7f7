"""Knows how long nobody has used MLflow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from mlflow_proxy.activity import ATTENDED, HEADER, seconds_since_use

from .types import ASGIApp, Receive, Scope, Send

NAME = HEADER.lower().encode()


class Activity:
    """Watches the requests; one that is use is so until it is answered."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._last_use = clock()
        self._in_flight = 0

    @property
    def idle_seconds(self) -> float:
        """Seconds since somebody used MLflow; 0 while a request that is use is in flight."""
        return 0.0 if self._in_flight else self._clock() - self._last_use

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        seconds = seconds_of(scope)
        self._used(seconds)
        if seconds > ATTENDED:
            await self._app(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
            self._used(seconds)

    def _used(self, seconds: float) -> None:
        self._last_use = max(self._last_use, self._clock() - seconds)


def seconds_of(scope: Scope) -> float:
    """Seconds since the use that caused this request; infinite where none did."""
    if scope["type"] == "lifespan":
        return math.inf
    idle = next((value for name, value in scope["headers"] if name == NAME), None)
    return seconds_since_use(scope["path"], idle.decode("latin-1") if idle else None)
