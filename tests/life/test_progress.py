"""The progress bar and the remaining time of a start."""

from __future__ import annotations

import pytest

from mlflow_proxy.reports import Stage
from mlflow_proxy.status import MODULES, SECONDS, StartProgress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_imported_modules_advance_the_progress(clock: Clock) -> None:
    progress = StartProgress(clock=clock)
    progress.enter(Stage.IMPORT)
    at_first = progress.fraction
    progress.imported(MODULES // 2)
    half = progress.fraction
    progress.imported(MODULES)
    assert at_first < half < progress.fraction < 1
    assert half - at_first == pytest.approx(SECONDS[Stage.IMPORT] / sum(SECONDS.values()) / 2)


def test_progress_never_decreases_and_never_completes_early(clock: Clock) -> None:
    progress = StartProgress(clock=clock)
    fractions = []
    for stage in Stage:
        progress.enter(stage)
        progress.imported(10 * MODULES)
        fractions.append(progress.fraction)
        progress.imported(MODULES // 2)
        clock.now += 100
        fractions.append(progress.fraction)
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 0.99


def test_remaining_time_follows_the_pace_of_this_start(clock: Clock) -> None:
    progress = StartProgress(clock=clock)
    assert progress.remaining == pytest.approx(sum(SECONDS.values()))
    progress.enter(Stage.IMPORT)
    progress.imported(MODULES // 2)
    clock.now += 20
    assert progress.remaining == pytest.approx(20, rel=0.2)
