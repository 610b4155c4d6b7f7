"""MLflow's life: started, watched, started again, ended with Jupyter."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from .answers import Answers
from .backoff import Backoff
from .child import MLflowChild, MLflowCommand
from .front import Front
from .logs import MLflowOutput, mask_passwords
from .progress import StartHistory, StartProgress
from .state import Failure, State, Status

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PARENT_INTERVAL = 1.0  # seconds between looks at whether Jupyter still lives
WANTED = "Somebody wants it."
RETRY_INTERVAL = 3.0  # seconds after a failed start in which a page load does not start again

_logger = logging.getLogger(__name__)


class Supervisor:
    """Runs MLflow on `listener` and answers there itself whenever MLflow does not.

    Only this class changes `status`. The front is open in every state but `State.READY`.
    """

    def __init__(  # noqa: PLR0913 (what it needs, so that tests need no patching)
        self,
        *,
        listener: socket.socket,
        command: MLflowCommand,
        output: MLflowOutput,
        history: StartHistory,
        log_file: Path,
        start_timeout: float,
        jupyter_pid: int,
        background: bool = False,
    ) -> None:
        self._listener = listener
        self._command = command
        self._output = output
        self._history = history
        self._start_timeout = start_timeout
        self._jupyter_pid = jupyter_pid
        self._background = background  # the first start only: the next is somebody's wish
        self._wanted = asyncio.Event()
        self._agreed_upgrade: Mapping[str, str] | None = None
        self._failed_at = 0.0
        self._reason = WANTED  # why MLflow starts next
        self.status = Status(StartProgress(history), log_file, output.lines)
        self._front = Front(listener, Answers(self.status, self.want, self.upgrade))

    def want(self, at_once: bool = False) -> None:
        """Somebody wants MLflow: after a failed start, start again, unless it failed just now."""
        if self.status.state is not State.FAILED:
            return
        if at_once or time.monotonic() - self._failed_at > RETRY_INTERVAL:
            self._enter_starting()
            self._wanted.set()

    def upgrade(self) -> bool:
        """Somebody agrees to the upgrade that the failure offers; returns whether it offers any."""
        if self.status.failure is None or self.status.failure.upgrade is None:
            return False
        self._agreed_upgrade = self.status.failure.upgrade
        self.want(at_once=True)
        return True

    async def run(self) -> int:
        """Run until Jupyter or a signal ends it; returns the exit code (see `cli`)."""
        loop = asyncio.get_running_loop()
        signalled: asyncio.Future[int] = loop.create_future()
        for signum in SIGNALS:
            loop.add_signal_handler(signum, _end, signalled, signum)
        life = asyncio.create_task(self._keep_running())
        jupyter = asyncio.create_task(self._wait_for_end_of_jupyter())
        try:
            done, _ = await asyncio.wait(
                {signalled, life, jupyter}, return_when=asyncio.FIRST_COMPLETED
            )
            return done.pop().result()
        finally:
            life.cancel()
            jupyter.cancel()
            await asyncio.gather(life, jupyter, return_exceptions=True)
            self._front.close()
            _logger.info("The supervisor ends (pid %d)", os.getpid())

    async def _wait_for_end_of_jupyter(self) -> int:
        # No event tells of a parent's end on every platform, so this looks.
        while os.getppid() == self._jupyter_pid:  # noqa: ASYNC110
            await asyncio.sleep(PARENT_INTERVAL)
        _logger.info("Jupyter has ended (pid %d)", self._jupyter_pid)
        return 0

    async def _keep_running(self) -> NoReturn:
        backoff = Backoff()
        while True:
            served = await self._run_once() if await self._upgrade_if_agreed() else None
            if served is None:
                await self._wanted.wait()
                self._wanted.clear()
                backoff, self._reason = Backoff(), WANTED
                self.status.crashes = 0
                continue
            delay = backoff.after(served)
            self.status.crashes = backoff.crashes
            self._enter_starting(delay)
            _logger.warning("%s It starts again in %g s.", self._reason, delay)
            await asyncio.sleep(delay)

    async def _run_once(self) -> float | None:
        """Start MLflow and wait for its end; returns the seconds that it served, None for none."""
        self._enter_starting()
        await self._front.open()
        options = ("--background",) if self._background else ()
        if (child := await self._start_child(*options)) is None:
            return None
        self._background = False
        _logger.info("MLflow starts (pid %d): %s", child.pid, self._reason)
        try:
            failure = await self._wait_until_ready(child)
            if failure is None:
                return await self._serve(child)
            if child.was_killed:
                _logger.info("MLflow has ended (pid %d) before it was up: %s", child.pid, child.end)
                self._reason = f"{failure.reason} {failure.remedy}"
                return 0.0
            self._enter_failed(failure)
            return None
        finally:
            await child.terminate()

    async def _start_child(self, *options: str) -> MLflowChild | None:
        try:
            return await MLflowChild.start(self._command, self._listener, self._output, *options)
        except OSError as error:
            self._enter_failed(
                Failure(
                    f"MLflow's interpreter cannot be run: {error}.",
                    "Correct c.MLflowProxy.python in the Jupyter configuration.",
                )
            )
            return None

    async def _upgrade_if_agreed(self) -> bool:
        """Upgrade the database if somebody has agreed; returns whether MLflow is to be started."""
        upgrade, self._agreed_upgrade = self._agreed_upgrade, None
        if upgrade is None:
            return True
        child = await self._start_child("--upgrade")
        if child is None:
            return False
        _logger.info("MLflow upgrades its database (pid %d)", child.pid)
        try:  # without a time-out: a large database takes its time, and to break off is worse
            if failure := await self._follow_start(child):
                self._enter_failed(failure.with_copy(upgrade["copy"]))
            return failure is None
        finally:
            await child.terminate()

    async def _wait_until_ready(self, child: MLflowChild) -> Failure | None:
        try:
            return await asyncio.wait_for(self._follow_start(child), self._start_timeout)
        except asyncio.TimeoutError:
            return Failure(
                f"MLflow did not come up within {self._start_timeout:g} seconds.",
                "If the machine or the database is slow, raise c.MLflowProxy.start_timeout.",
            )

    async def _follow_start(self, child: MLflowChild) -> Failure | None:
        """Follow what MLflow reports until it serves (None) or cannot (why)."""
        progress = self.status.progress
        while report := await child.next_report():
            match report:
                case {"event": "static", "folder": folder}:
                    self.status.static_folder = Path(folder)
                case {"event": "stage", "stage": stage, "text": text}:
                    progress.enter(stage, text)
                case {"event": "modules", "count": count}:
                    progress.imported(count)
                case {"event": "failed", "reason": reason, "remedy": remedy, **rest}:
                    upgrade = rest.get("upgrade")
                    return Failure(mask_passwords(reason), mask_passwords(remedy), upgrade)
                case {"event": "ready"}:
                    progress.finish()
                    return None
                case {"event": "upgraded"}:
                    return None
        return Failure.of_exit(await child.wait())

    async def _serve(self, child: MLflowChild) -> float:
        """Leave the socket to MLflow until it ends; returns the seconds that it served."""
        began = time.monotonic()
        self.status.state = State.READY
        self._front.close()
        _logger.info("MLflow serves (pid %d) after %.1f s", child.pid, self.status.progress.seconds)
        await child.wait()
        self._enter_starting()
        await self._front.open()
        _logger.info("MLflow has ended (pid %d): %s", child.pid, child.end)
        self._reason = "MLflow has ended unexpectedly."
        return time.monotonic() - began

    def _enter_starting(self, delay: float = 0.0) -> None:
        text = f"{self._reason} It is started again." if delay else ""
        self.status.progress = StartProgress(self._history, delay=delay, text=text)
        self.status.failure = None
        self.status.state = State.STARTING

    def _enter_failed(self, failure: Failure) -> None:
        self._failed_at = time.monotonic()
        self.status.failure = failure
        self.status.state = State.FAILED
        _logger.error("MLflow does not start. %s %s", failure.reason, failure.remedy)


def _end(signalled: asyncio.Future[int], signum: int) -> None:
    if not signalled.done():
        _logger.info("Signal %d has come (%s)", signum, signal.strsignal(signum))
        signalled.set_result(128 + signum)
