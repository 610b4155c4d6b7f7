"""MLflow's life in this Jupyter server: started on demand, watched, restarted, stopped.

simpervisor runs the process and starts it again after a crash (`process.py`). What the process
reports and what users ask for changes the state, here and nowhere else.
"""

import asyncio
import atexit
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import reports
from .log import MLflowOutput
from .metrics import Metrics
from .printable import escaped, mask_passwords, quoted
from .process import MLflowCommand, MLflowProcess, leave_signals_to_jupyter
from .reports import Exited, Failure, Offer, Report
from .sqlite_files import OpenedFiles
from .status import BY_USER, LastUse, Retries, StartProgress, State, Status, failure_of_exit

MAX_CRASHES = 3  # in a row, after which MLflow is started by its next use only
HEALTHY = 60.0  # seconds of service after which a crash counts as the first again
MAX_WAITING = 100  # requests; each keeps up to 128 KiB of its body in memory
MIN_IDLE_CHECK = 0.05  # seconds
SHORT = 120.0  # seconds of an idle time below which it is said in seconds
BUSY_INTERVAL = 15.0  # seconds between records of activity while one of MLflow's jobs runs

_logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Life:
    """Runs MLflow: at most one process serves, earlier ones complete their requests and end."""

    command: MLflowCommand
    status: Status
    output: MLflowOutput
    start_timeout: float
    """Seconds."""
    idle_timeout: float
    """Seconds without use after which MLflow is stopped; 0: never."""
    record_activity: Callable[[], None]
    """Lets Jupyter, and with it a hub's idle culler, know that MLflow is used."""
    proxy_state: dict[str, Any]
    """What the handlers of jupyter-server-proxy know of their process."""

    def __post_init__(self) -> None:
        self.last_use = LastUse()
        self.metrics = Metrics(self.status, self.last_use)
        self._files = OpenedFiles({})
        self._process: MLflowProcess | None = None
        self._run: asyncio.Future[None] | None = None
        self._ending: set[asyncio.Future[None]] = set()
        self._start_ended = asyncio.Event()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._busy_timer: asyncio.TimerHandle | None = None
        self._ready_at = 0.0
        self._has_reported = False
        self._upgrading: Offer | None = None
        leave_signals_to_jupyter()
        atexit.register(self._remove_folders, os.getpid())

    # What users and programs ask for.

    def start(self) -> None:
        """Start MLflow if it is stopped or has failed."""
        if self.status.state in (State.IDLE, State.FAILED):
            self._start("requested")

    def prestart(self) -> None:
        """Start MLflow at low priority, unless it runs, has failed or was stopped by the user."""
        if self.status.state is State.IDLE and not self.status.is_stopped_by_user:
            self._start("prestart", "--background")

    def stop(self) -> None:
        """Stop MLflow if it starts or is ready, but no upgrade. The next use starts it."""
        if self._upgrading or self.status.state not in (State.STARTING, State.READY):
            return
        self._stop(BY_USER)

    def restart(self) -> None:
        """Stop MLflow and start it again; requests wait meanwhile."""
        self.stop()
        self.start()

    def upgrade(self) -> bool:
        """Run the upgrade that the failure offers, then start MLflow; False if it offers none."""
        offer = self.status.failure and self.status.failure.offer
        if offer:
            _logger.info("Upgrading %s: requested", quoted(offer.database))
            self._upgrading = offer
            self._start("upgrade", "--upgrade")
        return offer is not None

    async def ready(self) -> MLflowProcess | None:
        """Wait while MLflow starts; returns its process, None if it is not ready then."""
        if self.status.state is State.STARTING and self._waiting >= MAX_WAITING:
            return None
        self._waiting += 1
        try:
            while self.status.state is State.STARTING:
                await self._start_ended.wait()
        finally:
            self._waiting -= 1
        return self._process if self.status.state is State.READY else None

    async def check_store(self) -> None:
        """Start another process if a file of the store is no longer the one that was opened."""
        files = self._files
        path = await files.replaced() if self.status.state is State.READY else None
        if path and files is self._files and self.status.state is State.READY:
            _logger.warning("%s is no longer the file that MLflow has opened", quoted(path))
            self._leave(State.STARTING)
            self._start("replaced", text=f"{path} was replaced.")

    # The states. Only these five methods enter one.

    def _start(self, why: str, *options: str, text: str = "") -> None:
        self.status.crashes = 0
        self._enter_starting(why, text)
        self._run = asyncio.ensure_future(self._keep_running(why, *options))

    def _enter_starting(self, reason: str, text: str = "") -> None:
        self.metrics.starts.labels(reason).inc()
        status = self.status
        status.progress = StartProgress(text)
        status.retried, status.failure = status.failure, None
        status.has_started = True
        self._has_reported = False
        self._enter(State.STARTING)
        if not self._upgrading:  # to interrupt an upgrade would be worse than to wait
            self._call_later(self.start_timeout, self._time_out)

    def _enter_ready(self) -> None:
        status = self.status
        self.metrics.start_seconds.observe(status.progress.seconds)
        status.retries = Retries()
        status.retried, status.stop_reason = None, ""
        status.has_served = True
        self._ready_at = time.monotonic()
        self._enter(State.READY)
        self.last_use.record()
        self._stop_if_idle()

    def _stop(self, why: str) -> None:
        self.status.stop_reason = why
        self._leave(State.IDLE)

    def _fail(self, failure: Failure, kind: str) -> None:
        self.metrics.failures.labels("failed_upgrade" if self._upgrading else kind).inc()
        self.status.retries.count()
        if self._upgrading:
            failure = naming_copy(failure, self._upgrading.copy)
            # Another failure would replace the message, which says where the copy is.
            self.status.retries.leave_to_people()
        self._upgrading = None
        self.status.failure = failure
        _logger.error("MLflow cannot start. %s %s", failure.reason, failure.remedy)
        self._leave(State.FAILED)

    def _enter(self, state: State) -> None:
        if self._timer:
            self._timer.cancel()
        if state is not self.status.state:
            self.status.state, self.status.since = state, time.time()
        if state is State.STARTING:
            self._start_ended.clear()
        else:
            self._start_ended.set()

    def _leave(self, state: State) -> None:
        """Enter `state`, in which no process serves; the one that did ends in the background."""
        was_ready = self.status.state is State.READY
        self._enter(state)
        why = self.status.stop_reason if state is State.IDLE else ""
        self._end_process(completes=was_ready, why=why)
        if self._run:
            self._run.cancel()

    # The process.

    async def _keep_running(self, why: str, *options: str) -> None:
        """Run processes, one after the other, while MLflow should run."""
        while self.status.state is State.STARTING:
            process = self._process = MLflowProcess(self.command, self.output, *options)
            self.status.processes.append(process)
            # jupyter-server-proxy starts nothing then, and knows what runs.
            self.proxy_state.update(proc=process.supervised, unix_socket=process.socket)
            try:
                await process.start()
            except OSError as error:
                self._fail(self._impossible(error), "interpreter")
                return
            _logger.info("Started MLflow (pid %s): %s", process.pid, why)
            why = await self._follow(process)
            self._end_process(completes=True)
            options = ()

    def _impossible(self, error: OSError) -> Failure:
        if self.command.folder.is_dir():
            python = self.command.program[0]
            return Failure(
                f"MLflow's interpreter, {quoted(python)}, cannot be run: {error.strerror}.",
                "Correct c.MLflowProxy.python in the Jupyter configuration, then restart Jupyter. "
                "Or put the interpreter in its place, then try again.",
            )
        return Failure(
            f"Jupyter's root folder, {quoted(self.command.folder)}, does not exist.",
            "Put it back: MLflow is then started by its next use.",
        )

    async def _follow(self, process: MLflowProcess) -> str:
        """Act on what `process` reports until another is to be started; returns why."""
        while True:
            report = await process.next_report()
            match report:
                case Exited(code):
                    self._crash(code, process.error)
                    if code == 0:
                        return "restart after a crash"
                case reports.Upgraded():
                    self._upgrading = None
                    self._enter_starting("upgrade")
                    return "upgraded"
                case _:
                    self._has_reported = True
                    self._record(process, report)

    def _record(self, process: MLflowProcess, report: Report) -> None:
        status = self.status
        match report:
            case reports.Found(version, folder):
                if report.notice and version != status.version:
                    _logger.warning("%s", report.notice)
                status.version, status.notice = version, report.notice
                status.static_folder = Path(folder) if folder else None
            case reports.StageEntered(stage, step):
                status.progress.enter(stage, step)
            case reports.ModulesImported(count):
                status.progress.imported(count)
            case reports.FilesOpened(files):
                self._files = OpenedFiles(files)
            case reports.Busy(is_busy):
                self.last_use.record_jobs(is_busy)
                self._record_activity_while_busy()
            case reports.Failure(reason, remedy):
                reason, remedy = (escaped(mask_passwords(each)) for each in (reason, remedy))
                kind = "upgrade" if report.offer else status.progress.stage.value
                self._fail(replace(report, reason=reason, remedy=remedy), kind)
            case reports.Ready():
                seconds = status.progress.seconds
                _logger.info("MLflow is ready (pid %s) after %.1f s", process.pid, seconds)
                self._enter_ready()

    def _crash(self, code: int, error: OSError | None) -> None:
        """Wait for simpervisor's next start after an unexpected end, or fail, as after `error`."""
        self.last_use.record_jobs(is_busy=False)
        was_ready = self.status.state is State.READY
        ended = failure_of_exit(code, has_reported=self._has_reported)
        failure = self._impossible(error) if error else ended
        if self._upgrading or not (was_ready or code < 0):
            self._fail(failure, "interpreter" if error else "crash")
            return
        if was_ready and time.monotonic() - self._ready_at > HEALTHY:
            self.status.crashes = 0
        self.status.crashes += 1
        reason = "MLflow ended unexpectedly." if was_ready else f"{failure.reason} {failure.remedy}"
        if self.status.crashes >= MAX_CRASHES:
            times = f"This happened {self.status.crashes} times in a row."
            remedy = "The last lines of its log, below, say why."
            self._fail(Failure(f"{reason} {times}", remedy), "crash")
            return
        _logger.warning("%s It is restarted.", reason)
        self._enter_starting("crash", f"{reason} It is restarted.")

    def _time_out(self) -> None:
        self._fail(
            Failure(
                f"MLflow was not ready within {self.start_timeout:g} seconds.",
                "If the machine or the database is slow, raise c.MLflowProxy.start_timeout, and "
                "restart Jupyter.",
            ),
            "timeout",
        )

    def _end_process(self, *, completes: bool, why: str = "") -> None:
        process, self._process = self._process, None
        self.last_use.record_jobs(is_busy=False)
        if process:
            ending = asyncio.ensure_future(process.end(completes=completes, why=why))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            ending.add_done_callback(lambda _: self.status.processes.remove(process))

    def _remove_folders(self, owner: int) -> None:
        for process in self.status.processes:
            if os.getpid() == owner:  # not in a process that was forked from it
                process.remove_folder()

    # Use.

    def _stop_if_idle(self) -> None:
        if not self.idle_timeout:
            return
        left = self.idle_timeout - self.last_use.seconds
        if left > 0:
            self._call_later(max(left, MIN_IDLE_CHECK), self._stop_if_idle)
            return
        is_short = self.idle_timeout < SHORT
        unused = f"{self.idle_timeout:g} s" if is_short else f"{self.idle_timeout / 60:.0f} minutes"
        self._stop(f"stopped after {unused} without use")

    def _record_activity_while_busy(self) -> None:
        if self._busy_timer:
            self._busy_timer.cancel()
        if self.last_use.is_busy:
            self.record_activity()
            loop = asyncio.get_running_loop()
            self._busy_timer = loop.call_later(BUSY_INTERVAL, self._record_activity_while_busy)

    def _call_later(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, act)


def naming_copy(failure: Failure, copy: str) -> Failure:
    """Add to the remedy where the copy of the database is, if it exists."""
    if quoted(copy) in failure.remedy or not os.path.exists(copy):
        return failure
    kept = f"The database as it was is kept at {quoted(copy)}."
    return replace(failure, remedy=f"{failure.remedy}\n{kept}")
