"""What is known of MLflow in this Jupyter server, and of its use.

`Life` writes it, handlers read it.
"""

import contextlib
import math
import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from glob import glob
from pathlib import Path
from typing import Any

from .addresses import ATTENDED
from .printable import quoted
from .process import MLflowProcess, describe_exit
from .reports import Failure, Stage, Step

# Seconds after a failed start in which no request starts MLflow again, so that users can read why.
# For programs, this doubles with each failure in a row.
RETRY_INTERVAL = 3.0
LAST_RETRY_INTERVAL = 60.0
BY_USER = "stopped by the user"
# Memory that processes share is divided between them: proc_pid_smaps(5).
PSS = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)
PROC = Path("/proc")
# Seconds and modules of a start on an average machine: the proportions of its stages.
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
}
UPGRADE = {
    "repair": "upgrade",
    "action": "Upgrade database",
    "warning": "Notebooks and programs with an older MLflow cannot use the database afterwards. "
    "Stop those that use it now first.",
}


class State(Enum):
    STARTING = "starting"
    READY = "ready"
    IDLE = "idle"
    FAILED = "failed"


class Retries:
    """Counts failed starts in a row and decides when a request may start MLflow again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = RETRY_INTERVAL
        self._for_people = self._for_programs = 0.0

    def count(self) -> None:
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


class StartProgress:
    """How far one start of MLflow has come, by its reports; `text` until the first of them."""

    def __init__(self, text: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.stage = Stage.PREPARE
        self._modules = 0
        self.text = text or TEXTS[self.stage]
        self._began = self._stage_began = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the start began."""
        return self._clock() - self._began

    def enter(self, stage: Stage, step: Step | None = None) -> None:
        """Record that MLflow has reached `stage`, and what it does there."""
        if stage is not self.stage:
            self.stage, self._stage_began = stage, self._clock()
        self.text = TEXTS[step or stage]

    def imported(self, modules: int) -> None:
        self._modules = max(self._modules, modules)  # some are removed again

    @property
    def fraction(self) -> float:
        """The completed part of the start, 0 to 0.99; never decreases."""
        stages = list(Stage)
        done = sum(SECONDS[each] for each in stages[: stages.index(self.stage)])
        current = SECONDS[self.stage] * self._fraction_of_stage()
        return min(0.99, (done + current) / sum(SECONDS.values()))

    @property
    def remaining(self) -> float:
        """Seconds until MLflow is ready, at the pace of this start, if slower than the average."""
        pace = self.seconds / max(0.05, self.fraction)
        return (1 - self.fraction) * max(sum(SECONDS.values()), pace)

    def _fraction_of_stage(self) -> float:
        if self.stage is Stage.IMPORT:
            return min(1.0, self._modules / MODULES)
        return min(0.9, (self._clock() - self._stage_began) / SECONDS[self.stage])


class LastUse:
    """When MLflow was last used; Jupyter's handlers record it, its life reads it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._time = clock()
        self._in_flight = 0
        self.is_busy = False

    @property
    def seconds(self) -> float:
        """Seconds since the last use; 0 while a job runs or a request is in flight that is use."""
        return 0.0 if self._in_flight or self.is_busy else self._clock() - self._time

    def record(self, seconds_ago: float = 0.0) -> None:
        """Record a use, possibly an earlier one than the last."""
        self._time = max(self._time, self._clock() - seconds_ago)

    def record_jobs(self, is_busy: bool) -> None:
        """Record whether one of MLflow's jobs runs: use until it ends, or MLflow by a crash."""
        if self.is_busy:
            self.record()
        self.is_busy = is_busy

    @contextmanager
    def request(self, seconds: float) -> Iterator[None]:
        """Record a request, from its head to the end of its response; `seconds` since its use."""
        self.record(seconds)
        is_use = seconds <= ATTENDED
        self._in_flight += is_use
        try:
            yield
        finally:
            if is_use:
                self._in_flight -= 1
                self.record(seconds)


@dataclass
class Status:
    """`failure` is set in `State.FAILED`, and only there; `retried` only in a start after it.

    `stop_reason` says for a person how MLflow was stopped, until it is ready again.
    """

    log_lines: deque[str]
    """The last lines of MLflow's output."""
    log_file: Path = Path()
    may_frame: bool = False
    """Whether JupyterLab, or our own page, may show the dashboard in a frame."""
    progress: StartProgress = field(default_factory=StartProgress)
    state: State = State.IDLE
    since: float = field(default_factory=time.time)
    """When this state was entered, in seconds of Unix time."""
    has_started: bool = False
    has_served: bool = False
    """Whether MLflow was ready before: requests then wait until it is again."""
    stop_reason: str = ""
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
    notice: str = ""
    """Says that this version is newer than what was tested."""
    processes: list[MLflowProcess] = field(default_factory=list)
    """The MLflow processes, the newest last; earlier ones complete their requests."""

    @property
    def pids(self) -> list[int]:
        return [each.pid for each in self.processes if each.pid is not None]

    @property
    def is_stopped_by_user(self) -> bool:
        """Whether MLflow is stopped because the user has stopped it."""
        return self.state is State.IDLE and self.stop_reason == BY_USER

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

    def document(self, *, may_see_log: bool) -> dict[str, Any]:
        """What MLflow does, for pages and programs; docs/reference/openapi.yaml says each field.

        The state is "stopped" until MLflow is started for the first time.
        """
        failure, is_starting = self.failure, self.state is State.STARTING
        offer = failure and failure.offer
        return {
            "state": self.state.value if self.has_started else "stopped",
            "since": self.since if self.has_started else None,
            "text": self.text,
            "progress": round(self.progress.fraction, 3) if is_starting else None,
            "seconds": round(self.progress.seconds, 1) if is_starting else None,
            "reason": failure.reason if failure else "",
            "remedy": failure.remedy if failure else "",
            "offer": offer
            and {
                **UPGRADE,
                "subject": quoted(offer.database),
                "copies": [quoted(offer.copy)] if offer.copy else [],
            },
            "stopped": f"{self.text}." if self.is_stopped_by_user else "",
            "stop_reason": self.stop_reason,
            "version": self.version,
            "notice": self.notice,
            # None also if it is unknown.
            "memory": None if is_starting else sum(self.memory_by_process().values()) or None,
            "pid": self.processes[-1].pid if self.processes else None,
            "log": str(self.log_file),
            "lines": list(self.log_lines) if may_see_log else [],
            # Whether the loading page may load the dashboard in a hidden frame.
            "dashboard": self.may_frame and self.static_folder is not None,
        }

    def memory_by_process(self) -> dict[int, int]:
        """Bytes of MLflow's processes and what these have started, by process id, where known."""
        family = {each for pid in self.pids for each in _family(pid)}
        return {pid: size for pid in family if (size := _memory_of(pid)) is not None}


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
    yield pid
    for children in glob(f"{PROC}/{pid}/task/*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            for child in Path(children).read_text().split():
                yield from _family(int(child))


def _memory_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        if match := PSS.search((PROC / f"{pid}/smaps_rollup").read_bytes()):
            return int(match[1]) << 10
    with contextlib.suppress(OSError):  # that file may not be read everywhere; this one may
        resident = int((PROC / f"{pid}/statm").read_text().split()[1])
        return resident * os.sysconf("SC_PAGE_SIZE")
    return None
