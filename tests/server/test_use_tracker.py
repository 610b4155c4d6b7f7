"""How long MLflow is idle, by the requests that it gets."""

from __future__ import annotations

from typing import Any

import pytest

from mlflow_proxy.server.middleware import pages
from mlflow_proxy.server.middleware.use_tracker import LastUse, UseTracker
from mlflow_proxy.shared.addresses import IDLE_HEADER
from support.asgi import Recorder, ask

SEARCH = "/ajax-api/2.0/mlflow/runs/search"


class Clock:
    """A clock that is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def idle_during_and_after(path: str, idle: str | None, seconds: float = 0.0) -> list[float]:
    """Send a request that takes `seconds`, 100 s after the start; how idle it is then and after."""
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


def test_a_refresh_tells_when_the_last_input_was() -> None:
    assert idle_during_and_after(SEARCH, "31.0") == [31, 31]


@pytest.mark.parametrize(("path", "idle"), [(SEARCH, "5000"), ("/_proxy/status", None)])
def test_a_request_that_is_no_use_changes_nothing(path: str, idle: str | None) -> None:
    assert idle_during_and_after(path, idle, seconds=1) == [101, 101]


def test_a_page_pauses_sooner_on_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    assert [pages.pause_after(seconds) for seconds in (0, 60, 1800)] == [0, 60, 1800]
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/me/")
    assert [pages.pause_after(seconds) for seconds in (0, 60, 1800)] == [120, 60, 120]
