"""How far MLflow's start has come: what it reports, in proportion to what its last start took."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

# Seconds and modules of a start on a middling machine, until one was measured on this one.
STAGES = {"prepare": 0.1, "import": 4.0, "store": 0.3, "serve": 0.1}
MODULES = 2500
TEXTS = {
    "prepare": "Looking for MLflow",
    "import": "Loading MLflow",
    "store": "Opening the store",
    "create": "Creating the store",
    "wait": "Waiting for another program that creates the store",
    "serve": "Opening the dashboard",
    "upgrade": "Upgrading the database",
}

_logger = logging.getLogger(__name__)


class StartHistory:
    """The measured durations of the last start, in a small file that may be lost without harm."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[dict[str, float], int]:
        """Return the seconds of each stage and the number of modules of the last start."""
        try:
            last = json.loads(self._path.read_text())
            seconds = {stage: float(last["seconds"][stage]) for stage in STAGES}
            modules = int(last["modules"])
        except (OSError, ValueError, KeyError, TypeError):
            return dict(STAGES), MODULES
        if not modules > 0 or not all(0 <= value < float("inf") for value in seconds.values()):
            return dict(STAGES), MODULES
        return seconds, modules

    def write(self, seconds: dict[str, float], modules: int) -> None:
        """Keep these for the next start."""
        try:
            self._path.write_text(json.dumps({"seconds": seconds, "modules": modules}))
        except OSError as error:
            _logger.warning("The durations of this start could not be kept: %s", error)


class StartProgress:
    """Follows one start of MLflow; a stage is one of `STAGES`, in that order."""

    def __init__(
        self,
        history: StartHistory,
        clock: Callable[[], float] = time.monotonic,
        *,
        delay: float = 0.0,
        text: str = "",
    ) -> None:
        """Begin in `delay` seconds; `text` says why so late."""
        self._history = history
        self._clock = clock
        self._expected, self._expected_modules = history.read()
        self._seconds: dict[str, float] = {}
        self._modules = 0
        self._fraction = 0.0
        self._stage = "prepare"
        self.text = text or TEXTS[self._stage]
        self._began = self._stage_began = clock() + delay

    @property
    def seconds(self) -> float:
        """Seconds since the start began."""
        return max(0.0, self._clock() - self._began)

    def enter(self, stage: str, text: str = "") -> None:
        """MLflow has reached `stage`; `text`, a key of `TEXTS`, says what it does there."""
        if stage != self._stage and stage in STAGES:
            now = self._clock()
            self._seconds[self._stage] = now - self._stage_began
            self._stage, self._stage_began = stage, now
        self.text = TEXTS.get(text or stage, self.text)

    def imported(self, modules: int) -> None:
        """MLflow has imported so many modules."""
        self._modules = modules

    def finish(self) -> None:
        """MLflow serves: remember how long each stage took."""
        self._seconds[self._stage] = self._clock() - self._stage_began
        self._history.write({**STAGES, **self._seconds}, self._modules or MODULES)

    @property
    def fraction(self) -> float:
        """The part of the start that is done, 0 to 0.99; it never goes back."""
        expected = self._expected
        done = sum(expected[stage] for stage in STAGES if stage in self._seconds)
        current = expected[self._stage] * self._fraction_of_stage()
        total = sum(expected.values()) or 1.0
        self._fraction = max(self._fraction, min(0.99, (done + current) / total))
        return self._fraction

    @property
    def remaining(self) -> float:
        """Seconds until MLflow is up, at the pace of the last start or of this one, if slower."""
        left = 1 - self.fraction
        waiting = max(0.0, self._began - self._clock())
        return waiting + left * max(
            sum(self._expected.values()), self.seconds / max(0.05, self.fraction)
        )

    def _fraction_of_stage(self) -> float:
        if self._stage == "import":
            return min(1.0, self._modules / self._expected_modules)
        expected = self._expected[self._stage] or 0.1
        return min(0.9, max(0.0, self._clock() - self._stage_began) / expected)
