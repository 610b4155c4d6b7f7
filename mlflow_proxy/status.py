"""What is known of MLflow in this Jupyter server: `Life` writes it, handlers read it."""

import contextlib
import math
import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from .process import MLflowProcess, describe_exit
from .progress import StartProgress
from .reports import Failure

# Seconds after a failed start in which no request starts MLflow again, so that users can read why.
# For programs, this doubles with each failure in a row.
RETRY_INTERVAL = 3.0
LAST_RETRY_INTERVAL = 60.0
# Memory that processes share is divided between them: proc_pid_smaps(5).
PSS = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)
PROC = Path("/proc")
MINUTE = 60.0  # seconds


class State(Enum):
    """Where MLflow is in its life."""

    STARTING = "starting"
    READY = "ready"
    IDLE = "idle"
    FAILED = "failed"


@dataclass(frozen=True)
class Idle:
    """MLflow was stopped because it was not used for `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Requested:
    """The user has stopped MLflow."""


class Retries:
    """Counts failed starts in a row and decides when a request may start MLflow again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget all failures, because MLflow is ready."""
        self._next = RETRY_INTERVAL
        self._for_people = self._for_programs = 0.0

    def count(self) -> None:
        """Count a failure that has just happened."""
        self._for_people = self._clock() + RETRY_INTERVAL
        self._for_programs = self._clock() + self._next
        self._next = min(2 * self._next, LAST_RETRY_INTERVAL)

    def leave_to_people(self) -> None:
        """Start MLflow again for people only, until the next failure or until MLflow is ready."""
        self._for_programs = math.inf

    @property
    def is_due_for_people(self) -> bool:
        """Whether a page load may start MLflow again."""
        return self._clock() >= self._for_people

    @property
    def seconds(self) -> float:
        """Seconds until a program's request may start MLflow again; 0: now, infinite: never."""
        return max(0.0, self._for_programs - self._clock())


@dataclass
class Status:
    """`failure` is set in `State.FAILED`, and only there; `retried` only in a start after it.

    `stopped` says why MLflow was stopped last, until it is ready again.
    """

    progress: StartProgress
    log_lines: deque[str]
    """The last lines of MLflow's output."""
    state: State = State.IDLE
    since: float = field(default_factory=time.time)
    """When this state was entered, in seconds of Unix time."""
    has_started: bool = False
    has_served: bool = False
    """Whether MLflow was ready before: requests then wait until it is again."""
    stopped: Idle | Requested | None = None
    failure: Failure | None = None
    retried: Failure | None = None
    """Why the start before this one failed."""
    crashes: int = 0
    """Unexpected ends in a row."""
    retries: Retries = field(default_factory=Retries)
    static_folder: Path | None = None
    """Folder of MLflow's static files, once the MLflow process has reported it."""
    version: str | None = None
    """MLflow's version, once the MLflow process has reported it."""
    processes: list[MLflowProcess] = field(default_factory=list)
    """The MLflow processes, the newest last; earlier ones complete their requests."""

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [each.pid for each in self.processes if each.pid is not None]

    @property
    def is_stopped_by_user(self) -> bool:
        """Whether MLflow is stopped because the user has stopped it."""
        return self.state is State.IDLE and isinstance(self.stopped, Requested)

    @property
    def text(self) -> str:
        """What MLflow does, for a person."""
        match self.state:
            case State.STARTING:
                return self.progress.text
            case State.FAILED if self.failure:
                return self.failure.reason
            case State.IDLE if not self.has_started:
                return "MLflow was not started"
            case State.IDLE:
                return self.stop_reason.capitalize()
        return "MLflow is running"

    @property
    def stop_reason(self) -> str:
        """How MLflow was stopped since it was ready, for a person; empty if it was not."""
        match self.stopped:
            case Idle(seconds):
                is_long = seconds > 2 * MINUTE
                duration = f"{seconds / MINUTE:.0f} minutes" if is_long else f"{seconds:g} s"
                return f"stopped after {duration} without use"
            case Requested():
                return "stopped by the user"
        return ""

    @property
    def memory(self) -> int | None:
        """Bytes that MLflow's processes use; None if there are none, or unknown."""
        family = {each for pid in self.pids for each in _family(pid)}
        known = [size for pid in family if (size := _memory_of(pid)) is not None]
        return sum(known) if known else None


def failure_of_exit(code: int, *, has_reported: bool) -> Failure:
    """Failure of a process that reported none; `code` is negative for a signal."""
    if code == -signal.SIGKILL:
        return Failure(
            "MLflow was killed before it was ready, as the system does when memory runs out.",
            "Shut down kernels that are not needed, or ask for more memory.",
        )
    if has_reported:
        return Failure(
            f"MLflow ended with {describe_exit(code)} before it was ready.",
            "The last lines of its log, below, say why.",
        )
    return Failure(
        f"MLflow's interpreter ended with {describe_exit(code)} and reported nothing.",
        "Check that c.MLflowProxy.python is Python 3.10 or newer. The last lines of the log, "
        "below, may say more.",
    )


def _family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    tasks: list[Path] = []
    with contextlib.suppress(OSError):  # the process has ended
        tasks += (PROC / str(pid) / "task").iterdir()
    for task in tasks:
        with contextlib.suppress(OSError):  # the thread has ended
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _memory_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        if match := PSS.search((PROC / f"{pid}/smaps_rollup").read_bytes()):
            return int(match[1]) << 10
    with contextlib.suppress(OSError):  # that file may not be read everywhere; this one may
        resident = int((PROC / f"{pid}/statm").read_text().split()[1])
        return resident * os.sysconf("SC_PAGE_SIZE")
    return None
