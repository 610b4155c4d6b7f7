"""The delay before a restart after a crash: short at first, doubled after each crash."""

from __future__ import annotations

from mlflow_proxy.supervisor.backoff import HEALTHY, Backoff


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
