"""What the supervisor knows of MLflow: `Supervisor` writes it, the answers read it."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from .progress import StartProgress


class State(enum.Enum):
    """Where MLflow is in its life."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Failure:
    """Why a start failed: what happened and what to do, a sentence each, for a person."""

    reason: str
    remedy: str


@dataclass
class Status:
    """Only `Supervisor` changes it. `failure` is set in `State.FAILED`, and only there."""

    progress: StartProgress
    log_file: Path
    log_lines: deque[str]
    state: State = State.STARTING
    failure: Failure | None = None
    static_folder: Path | None = field(default=None)
    """MLflow's `static-files`, once the MLflow process has said where they are."""
