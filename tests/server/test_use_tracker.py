"""The time since MLflow was last used follows from its requests."""

from __future__ import annotations

from typing import Any

import pytest

from mlflow_proxy.addresses import IDLE_HEADER
from mlflow_proxy.server.middleware.use_tracker import LastUse, UseTracker
from support.asgi import Recorder, ask

SEARCH = "/ajax-api/2.0/mlflow/runs/search"


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def idle_during_and_after(path: str, idle: str | None, seconds: float = 0.0) -> list[float]:
    """Seconds since the last use, during and after a request that takes `seconds`.

    It is sent 100 s after the start.
    """
    clock, found, answer = Clock(), [], Recorder()
    last_use = LastUse(clock)

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        clock.now += seconds
        found.append(last_use.seconds)
        await answer(scope, receive, send)

    clock.now += 100
    headers = [(IDLE_HEADER.lower().encode(), idle.encode())] if idle else []
    ask(UseTracker(slow, last_use), path, headers=headers)
    return [*found, last_use.seconds]


def test_a_request_is_use_until_it_is_answered() -> None:
    assert idle_during_and_after(SEARCH, None, seconds=7200) == [0, 0]


def test_a_refresh_reports_when_the_last_input_was() -> None:
    assert idle_during_and_after(SEARCH, "31.0") == [31, 31]


@pytest.mark.parametrize(("path", "idle"), [(SEARCH, "5000"), ("/_proxy/status", None)])
def test_a_request_that_is_no_use_changes_nothing(path: str, idle: str | None) -> None:
    assert idle_during_and_after(path, idle, seconds=1) == [101, 101]
