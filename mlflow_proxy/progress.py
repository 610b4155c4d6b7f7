"""How far MLflow's start has come: its reports, weighted by the durations of the last start."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from .reports import Stage, Step

# Seconds and modules of a start on an average machine, until a start on this one was measured.
SECONDS = {Stage.PREPARE: 0.1, Stage.IMPORT: 4.0, Stage.STORE: 0.3, Stage.SERVE: 0.1}
MODULES = 2500
TEXTS = {
    Stage.PREPARE: "Looking for MLflow",
    Stage.IMPORT: "Loading MLflow",
    Stage.STORE: "Opening the store",
    Stage.SERVE: "Opening the dashboard",
    Step.CREATE: "Creating the store",
    Step.WAIT: "Waiting for another program that creates the store",
    Step.UPGRADE: "Upgrading the database",
    Step.LOCATIONS: "Updating the locations of artifacts",
}

_logger = logging.getLogger(__name__)


class StartHistory:
    """The durations of the last start, in a small file that may be lost without harm."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[dict[Stage, float], int]:
        """Return the seconds of each stage and the number of modules of the last start."""
        try:
            last = json.loads(self._path.read_text())
            seconds = {stage: float(last["seconds"][stage.value]) for stage in Stage}
            modules = int(last["modules"])
        except (OSError, ValueError, KeyError, TypeError):
            return dict(SECONDS), MODULES
        if not modules > 0 or not all(0 <= value < float("inf") for value in seconds.values()):
            return dict(SECONDS), MODULES
        return seconds, modules

    def write(self, seconds: dict[Stage, float], modules: int) -> None:
        """Keep these for the next start."""
        by_name = {stage.value: value for stage, value in seconds.items()}
        try:
            self._path.write_text(json.dumps({"seconds": by_name, "modules": modules}))
        except OSError as error:
            _logger.warning("Cannot store the durations of this start: %s", error)


class StartProgress:
    """Follows one start of MLflow through its stages."""

    def __init__(
        self,
        history: StartHistory,
        clock: Callable[[], float] = time.monotonic,
        *,
        text: str = "",
    ) -> None:
        """Begin now; `text` is shown until the first stage is reported."""
        self._history = history
        self._clock = clock
        self._expected, self._expected_modules = history.read()
        self._seconds: dict[Stage, float] = {}
        self._modules = 0
        self._fraction = 0.0
        self._stage = Stage.PREPARE
        self.text = text or TEXTS[self._stage]
        self._began = self._stage_began = clock()

    @property
    def stage(self) -> Stage:
        """The stage that was entered last."""
        return self._stage

    @property
    def seconds(self) -> float:
        """Seconds since the start began."""
        return self._clock() - self._began

    def enter(self, stage: Stage, step: Step | None = None) -> None:
        """Record that MLflow has reached `stage`, and what it does there."""
        if stage is not self._stage:
            now = self._clock()
            self._seconds[self._stage] = now - self._stage_began
            self._stage, self._stage_began = stage, now
        self.text = TEXTS[step or stage]

    def imported(self, modules: int) -> None:
        """Record how many modules MLflow has imported."""
        self._modules = modules

    def finish(self) -> None:
        """Record that MLflow is ready, and keep the durations of the stages."""
        self._seconds[self._stage] = self._clock() - self._stage_began
        self._history.write({**SECONDS, **self._seconds}, self._modules or MODULES)

    @property
    def fraction(self) -> float:
        """The completed part of the start, 0 to 0.99; never decreases."""
        expected = self._expected
        done = sum(expected[stage] for stage in self._seconds)
        current = expected[self._stage] * self._fraction_of_stage()
        total = sum(expected.values()) or 1.0
        self._fraction = max(self._fraction, min(0.99, (done + current) / total))
        return self._fraction

    @property
    def remaining(self) -> float:
        """Seconds until MLflow is ready, at the pace of the last start or this one's, if slower."""
        left = 1 - self.fraction
        pace = self.seconds / max(0.05, self.fraction)
        return left * max(sum(self._expected.values()), pace)

    def _fraction_of_stage(self) -> float:
        if self._stage is Stage.IMPORT:
            return min(1.0, self._modules / self._expected_modules)
        expected = self._expected[self._stage] or 0.1
        return min(0.9, (self._clock() - self._stage_began) / expected)
