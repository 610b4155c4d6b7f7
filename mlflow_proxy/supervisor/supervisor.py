"""MLflow's life: started, watched, started again, ended with Jupyter."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from . import ending, start
from .answers import Answers
from .backoff import Backoff
from .child import MLflowChild, MLflowCommand
from .front import Front
from .hold import Hold
from .logs import MLflowOutput
from .progress import StartHistory, StartProgress
from .state import Failure, State, Status

WANTED = "Somebody wants it."
RETRY_INTERVAL = 3.0  # seconds after a failed start in which a page load does not start again

_logger = logging.getLogger(__name__)


class Supervisor:
    """Runs MLflow on `listener` and answers there itself whenever MLflow does not.

    The front is open in every state but `State.READY`.
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
        self._stopping: dict[MLflowChild, asyncio.Task[None]] = {}
        answers = Answers(self.status, self.want, self.upgrade)
        self._hold = Hold(listener, answers.unavailable)
        self._front = Front(listener, answers, self._hold.pass_on)

    def want(self, at_once: bool = False) -> None:
        """Somebody wants MLflow: start it, unless it is up, is starting or failed just now."""
        failed = self.status.state is State.FAILED
        if failed and not at_once and time.monotonic() - self._failed_at <= RETRY_INTERVAL:
            return
        if failed or self.status.state is State.IDLE:
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
        life = asyncio.create_task(self._keep_running())
        end = asyncio.create_task(ending.wait(self._jupyter_pid))
        try:
            done, _ = await asyncio.wait({life, end}, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            tasks = [life, end, *self._stopping.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._front.close()
            _logger.info("The supervisor ends (pid %d)", os.getpid())

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
            failure = await start.follow(child, self.status, self._start_timeout)
            if failure is None:
                return await self._serve(child)
            if child.was_killed:
                _logger.info("MLflow has ended (pid %d) before it was up: %s", child.pid, child.end)
                self._reason = f"{failure.reason} {failure.remedy}"
                return 0.0
            self._enter_failed(failure)
            return None
        finally:
            if child not in self._stopping:
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
            if failure := await start.follow(child, self.status):
                self._enter_failed(failure.with_copy(upgrade["copy"]))
            return failure is None
        finally:
            await child.terminate()

    async def _serve(self, child: MLflowChild) -> float | None:
        """Leave the socket to MLflow; returns the seconds until it ended, None when it is idle."""
        began = time.monotonic()
        self.status.state = State.READY
        self.status.after_idle = False
        self._front.close()
        self._hold.end(is_serving=True)
        _logger.info("MLflow serves (pid %d) after %.1f s", child.pid, self.status.progress.seconds)
        while report := await child.next_report():
            if report.get("event") == "idle":
                await self._enter_idle(child, report["seconds"])
                return None
        await child.wait()
        self._enter_starting()
        await self._front.open()
        _logger.info("MLflow has ended (pid %d): %s", child.pid, child.end)
        self._reason = "MLflow has ended unexpectedly."
        return time.monotonic() - began

    async def _enter_idle(self, child: MLflowChild, seconds: float) -> None:
        """Take the socket back first, then have MLflow stop: at every moment somebody accepts."""
        self.status.state = State.IDLE
        self.status.after_idle = True
        self._hold.begin()
        await self._front.open()
        _logger.info("MLflow is stopped after %g s without use (pid %d)", seconds, child.pid)
        self._stopping[child] = asyncio.create_task(self._stop(child))

    async def _stop(self, child: MLflowChild) -> None:
        """Let MLflow end in its own time: meanwhile a new one may start."""
        try:
            await child.finish()
            _logger.info("MLflow has ended (pid %d): %s", child.pid, child.end)
        finally:
            await child.terminate()
            del self._stopping[child]

    def _enter_starting(self, delay: float = 0.0) -> None:
        text = f"{self._reason} It is started again." if delay else ""
        self.status.progress = StartProgress(self._history, delay=delay, text=text)
        self.status.failure = None
        self.status.state = State.STARTING

    def _enter_failed(self, failure: Failure) -> None:
        self._failed_at = time.monotonic()
        self.status.failure = failure
        self.status.state = State.FAILED
        self.status.after_idle = False
        self._hold.end(is_serving=False)
        _logger.error("MLflow does not start. %s %s", failure.reason, failure.remedy)
