"""What the supervisor knows of MLflow: `Supervisor` writes it, the answers read it."""

from __future__ import annotations

import enum
import os
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .progress import StartProgress


class State(enum.Enum):
    """Where MLflow is in its life."""

    STARTING = "starting"
    READY = "ready"
    IDLE = "idle"
    FAILED = "failed"


@dataclass(frozen=True)
class Failure:
    """Why a start failed: what happened and what to do, a sentence each, for a person."""

    reason: str
    remedy: str
    upgrade: Mapping[str, str] | None = None
    """What may be upgraded: the `database`, and where its `copy` would be kept, if anywhere."""

    def with_copy(self, copy: str) -> Failure:
        """Say in addition where the `copy` of the database is, if it was made and is not named."""
        if copy in self.remedy or not os.path.exists(copy):
            return self
        return replace(self, remedy=f"{self.remedy} The database as it was is kept at {copy}.")

    @classmethod
    def of_exit(cls, code: int) -> Failure:
        """Of a process that ended with `code`, minus a signal's number, without a word."""
        if code == -signal.SIGKILL:
            return cls(
                "MLflow was killed before it was up, as the system does when memory runs out.",
                "Shut down kernels that are not needed, or ask for more memory.",
            )
        how = f"exit code {code}" if code >= 0 else f"signal {signal.strsignal(-code) or -code}"
        return cls(
            f"MLflow ended with {how} before it was up.",
            "The last lines of its log, below, say why.",
        )


@dataclass
class Status:
    """`supervisor` and `start` write it. `failure` is set in `State.FAILED`, and only there."""

    progress: StartProgress
    log_file: Path
    log_lines: deque[str]
    state: State = State.STARTING
    failure: Failure | None = None
    crashes: int = 0
    """How often in a row MLflow ended by itself, at most a minute after it was up."""
    after_idle: bool = False
    """MLflow was stopped because nobody used it, and is not up again."""
    static_folder: Path | None = field(default=None)
    """MLflow's `static-files`, once the MLflow process has said where they are."""
