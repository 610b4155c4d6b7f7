"""The progress bar and the remaining time, estimated from the last start."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.progress import MODULES, SECONDS, StartHistory, StartProgress
from mlflow_proxy.reports import Stage


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path) -> StartHistory:
    return StartHistory(tmp_path / "start.json")


def test_imported_modules_advance_the_progress(history: StartHistory, clock: Clock) -> None:
    progress = StartProgress(history, clock)
    progress.enter(Stage.IMPORT)
    at_first = progress.fraction
    progress.imported(MODULES // 2)
    half = progress.fraction
    progress.imported(MODULES)
    assert at_first < half < progress.fraction < 1
    assert half - at_first == pytest.approx(SECONDS[Stage.IMPORT] / sum(SECONDS.values()) / 2)


def test_progress_never_decreases_and_never_completes_early(
    history: StartHistory, clock: Clock
) -> None:
    progress = StartProgress(history, clock)
    fractions = []
    for stage in Stage:
        progress.enter(stage)
        progress.imported(10 * MODULES)
        clock.now += 100
        fractions.append(progress.fraction)
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 0.99


def test_last_start_sets_the_proportions_of_the_stages(history: StartHistory, clock: Clock) -> None:
    first = StartProgress(history, clock)
    for stage, seconds in {Stage.IMPORT: 1.0, Stage.STORE: 7.0, Stage.SERVE: 1.0}.items():
        clock.now += 1.0
        first.enter(stage)
        clock.now += seconds - 1.0
    clock.now += 1.0
    first.imported(1234)
    first.finish()
    assert first.seconds == pytest.approx(10.0)
    assert history.read() == (
        {Stage.PREPARE: 1.0, Stage.IMPORT: 1.0, Stage.STORE: 7.0, Stage.SERVE: 1.0},
        1234,
    )

    second = StartProgress(history, clock)
    second.enter(Stage.IMPORT)
    second.enter(Stage.STORE)
    assert second.fraction == pytest.approx(0.2)


def test_remaining_time_follows_the_last_start_then_the_current_pace(
    history: StartHistory, clock: Clock
) -> None:
    progress = StartProgress(history, clock)
    assert progress.remaining == pytest.approx(sum(SECONDS.values()))
    progress.enter(Stage.IMPORT)
    progress.imported(MODULES // 2)
    clock.now += 20
    assert progress.remaining == pytest.approx(20, rel=0.2)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": {"import": "x"}, "modules": 1}'])
def test_corrupt_history_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "start.json").write_text(text)
    assert StartHistory(tmp_path / "start.json").read() == (SECONDS, MODULES)
