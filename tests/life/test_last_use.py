"""The time since MLflow was last used follows from its requests and jobs."""

from __future__ import annotations

import pytest

from mlflow_proxy.addresses import IDLE_HEADER
from mlflow_proxy.status import LastUse
from mlflow_proxy.web.decide import Request

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
    clock, found = Clock(), []
    last_use = LastUse(clock)
    clock.now += 100
    request = Request("GET", path, {} if idle is None else {IDLE_HEADER: idle})
    with last_use.request(request.seconds_since_use):
        clock.now += seconds
        found.append(last_use.seconds)
    return [*found, last_use.seconds]


def test_a_request_is_use_until_it_is_answered() -> None:
    assert idle_during_and_after(SEARCH, None, seconds=7200) == [0, 0]


def test_a_refresh_tells_when_the_last_input_was() -> None:
    assert idle_during_and_after(SEARCH, "31.0") == [31, 31]


@pytest.mark.parametrize(("path", "idle"), [(SEARCH, "5000"), ("/_proxy/status", None)])
def test_a_request_that_is_no_use_changes_nothing(path: str, idle: str | None) -> None:
    assert idle_during_and_after(path, idle, seconds=1) == [101, 101]


def test_a_job_is_use_until_it_ends() -> None:
    clock = Clock()
    last_use = LastUse(clock)
    clock.now += 100
    last_use.record_jobs(is_busy=True)
    clock.now += 100
    assert last_use.seconds == 0
    last_use.record_jobs(is_busy=False)  # it has ended, or MLflow has crashed
    clock.now += 5
    assert last_use.seconds == 5
    last_use.record_jobs(is_busy=False)
    assert last_use.seconds == 5
