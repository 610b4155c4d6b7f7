"""What the supervisor knows of MLflow: `Supervisor` and `startup` write it, the answers read it."""

import signal
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from mlflow_proxy.shared.reports import Failure, Idle

from .backoff import Backoff, Retries
from .progress import StartProgress


class State(Enum):
    """Where MLflow is in its life."""

    STARTING = "starting"
    READY = "ready"
    IDLE = "idle"
    FAILED = "failed"


@dataclass(frozen=True)
class Crashed:
    """The MLflow process ended unexpectedly, `served` seconds after it was ready, 0 if never."""

    reason: str
    served: float = 0.0


@dataclass(frozen=True)
class Outdated:
    """The file at `path`, a store, was replaced `served` seconds after MLflow had opened it."""

    path: str
    served: float


# How the life of one MLflow process ends.
End = Crashed | Outdated | Idle | Failure


@dataclass
class Status:
    """`failure` is set in `State.FAILED`, and only there; `retried` only in a start after it."""

    progress: StartProgress
    log_file: Path
    log_lines: deque[str]
    state: State = State.STARTING
    failure: Failure | None = None
    retried: Failure | None = None
    """Why the start before this one failed."""
    backoff: Backoff = field(default_factory=Backoff)
    retries: Retries = field(default_factory=Retries)
    static_folder: Path | None = None
    """Folder of MLflow's static files, once the MLflow process has reported it."""


def failure_of_exit(returncode: int) -> Failure:
    """Failure of a process that reported none; `returncode` is negative for a signal."""
    if returncode == -signal.SIGKILL:
        return Failure(
            "MLflow was killed before it was ready, as the system does when memory runs out.",
            "Shut down kernels that are not needed, or ask for more memory.",
        )
    return Failure(
        f"MLflow ended with {describe_exit(returncode)} before it was ready.",
        "The last lines of its log, below, say why.",
    )


def describe_exit(returncode: int) -> str:
    """How a process ended, for a person; `returncode` is negative for a signal."""
    if returncode >= 0:
        return f"exit code {returncode}"
    return f"signal {-returncode} ({signal.strsignal(-returncode)})"
