"""What the supervisor knows of MLflow: `Supervisor` and `startup` write it, the answers read it."""

import signal
import time
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


@dataclass(frozen=True)
class Requested:
    """The user has stopped MLflow; if `is_ready`, it completes its requests first."""

    is_ready: bool


# How the life of one MLflow process ends.
End = Crashed | Outdated | Idle | Requested | Failure


@dataclass
class Status:
    """`failure` is set in `State.FAILED`, and only there; `retried` only in a start after it.

    `stopped` says why MLflow was stopped last.
    """

    progress: StartProgress
    log_file: Path
    log_lines: deque[str]
    state: State = State.STARTING
    since: float = field(default_factory=time.time)
    """When this state was entered, in seconds of Unix time."""
    stopped: Idle | Requested | None = None
    failure: Failure | None = None
    retried: Failure | None = None
    """Why the start before this one failed."""
    backoff: Backoff = field(default_factory=Backoff)
    retries: Retries = field(default_factory=Retries)
    static_folder: Path | None = None
    """Folder of MLflow's static files, once the MLflow process has reported it."""
    version: str | None = None
    """MLflow's version, once the MLflow process has reported it."""
    pids: list[int] = field(default_factory=list)
    """Ids of the MLflow processes, the newest last; earlier ones complete their requests."""

    def enter(self, state: State) -> None:
        """Enter `state`."""
        if state is not self.state:
            self.state, self.since = state, time.time()

    @property
    def is_stopped_by_user(self) -> bool:
        """Whether MLflow is stopped because the user has stopped it."""
        return self.state is State.IDLE and isinstance(self.stopped, Requested)


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
