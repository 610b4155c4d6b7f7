"""The delay before a restart after a crash or a failure: short at first, then doubled."""

from __future__ import annotations

import math

from mlflow_proxy.supervisor.backoff import HEALTHY, RETRY_INTERVAL, Backoff, Retries


def test_delay_doubles_up_to_half_a_minute() -> None:
    backoff = Backoff()
    delays = [backoff.after(1.0) for _ in range(1100)]
    assert delays[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert set(delays[8:]) == {30}
    assert backoff.crashes == 1100


def test_a_minute_of_service_resets_the_delay() -> None:
    backoff = Backoff()
    assert [backoff.after(HEALTHY) for _ in range(3)] == [0.5, 1, 2]
    assert [backoff.after(HEALTHY + 1) for _ in range(3)] == [0.5, 0.5, 0.5]
    assert backoff.crashes == 1
    assert backoff.after(0.0) == 1


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_programs_retry_a_failed_start_less_and_less_often_until_it_succeeds() -> None:
    clock = Clock()
    retries = Retries(clock)
    assert (retries.seconds, retries.is_due_for_people) == (0, True)
    delays = []
    for _ in range(7):
        retries.count()
        delays.append(retries.seconds)
        assert not retries.is_due_for_people
        clock.now += RETRY_INTERVAL
        assert retries.is_due_for_people
        clock.now += retries.seconds
        assert retries.seconds == 0
    assert delays == [3, 6, 12, 24, 48, 60, 60]
    retries.reset()
    retries.count()
    assert retries.seconds == 3


def test_a_failure_can_be_left_to_people() -> None:
    clock = Clock()
    retries = Retries(clock)
    retries.count()
    retries.leave_to_people()
    clock.now += 1e9
    assert (retries.seconds, retries.is_due_for_people) == (math.inf, True)
    retries.count()
    assert retries.seconds == 6
