"""MLflow's life: started, watched, restarted after a crash, ended with Jupyter."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

from mlflow_proxy.shared.offers import Offer
from mlflow_proxy.shared.reports import Failure, Idle, StoreReplaced

from . import shutdown, startup
from .backoff import FIRST_DELAY, Backoff
from .front import answers
from .front.decisions import Decision, decide
from .front.held_requests import HeldRequests
from .front.http import Request, Response
from .front.server import FrontServer
from .logs import MLflowOutput
from .mlflow_process import MLflowCommand, MLflowProcess
from .offers import Offers
from .progress import StartHistory, StartProgress
from .state import Crashed, End, Outdated, State, Status
from .stopping import Stopping

_logger = logging.getLogger(__name__)

Life = Callable[[MLflowProcess], Awaitable[End | None]]


@dataclass(kw_only=True)
class Supervisor:
    """Runs MLflow on `listener`, and answers there itself while MLflow is not ready.

    The front server accepts in all states but `READY`. Only `_enter…` methods change the state.
    """

    listener: socket.socket
    command: MLflowCommand
    output: MLflowOutput
    history: StartHistory
    offers: Offers
    log_file: Path
    start_timeout: float
    """Seconds."""
    jupyter_pid: int
    background: bool = False
    """Whether the first start has low priority; users request the later ones."""

    def __post_init__(self) -> None:
        self.status = Status(StartProgress(self.history), self.log_file, self.output.lines)
        self._start_requested = asyncio.Event()
        self._why = "requested"
        self._replacements = Backoff()
        self._stopping = Stopping()
        self._held = HeldRequests(self.listener)
        self._front = FrontServer(self.listener, self._respond, self._relay)

    def start(self) -> None:
        """Start MLflow if it is stopped or has failed."""
        if self.status.state in (State.IDLE, State.FAILED):
            self.status.backoff = Backoff()
            self._why = "requested"
            self._enter_starting()
            self._start_requested.set()

    async def run(self) -> int:
        """Run until Jupyter or a signal ends it; returns the exit code (see `main`)."""
        end = asyncio.create_task(shutdown.wait(self.jupyter_pid))  # first: it handles signals
        life = asyncio.create_task(self._keep_running())
        try:
            done, _ = await asyncio.wait({life, end}, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            tasks = [life, end, *self._stopping.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._front.close()
            _logger.info("Supervisor exits (pid %d)", os.getpid())

    def _respond(self, request: Request) -> Response | None:
        """Act on `request` and answer it; None for one that MLflow is to answer."""
        decision = decide(request, self.status, self._held.holds_all)
        if isinstance(decision, Response):
            return decision
        match decision:
            case Decision.PAGE:
                if self.status.retries.is_due_for_people:
                    self.start()
                return answers.page(request, self.status)
            case Decision.START | Decision.REPAIR | Decision.DECLINE:
                self.offers.answer(decision, self.status.failure)
                self.start()
                return answers.report(self.status, HTTPStatus.ACCEPTED)
            case Decision.WAKE | Decision.RETRY:
                self.start()
        is_held = decision in (Decision.WAKE, Decision.HOLD)
        return None if is_held else answers.unavailable(request, self.status)

    async def _relay(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Response | None:
        """Have MLflow answer `request` once it is ready; returns the answer if it cannot."""
        if await self._held.relay(request, reader, writer):
            return None
        return answers.unavailable(request, self.status)

    async def _keep_running(self) -> NoReturn:
        await self._front.open()
        while True:
            if isinstance(await self._repair_and_serve(), Crashed | Outdated):
                await asyncio.sleep(self.status.progress.delay)
            else:
                await self._start_requested.wait()
                self._start_requested.clear()

    async def _repair_and_serve(self) -> End | None:
        if offer := self.offers.take_agreed():
            option = f"--repair={offer.repair.value}"
            if failure := await self._run(partial(self._repair, offer), option):
                # Another failure would replace the message, which says where the copy is.
                self.status.retries.leave_to_people()
                return failure
            self._enter_starting()
        options = ("--background",) if self.background else ()
        self.background = False
        return await self._run(self._serve, *options)

    async def _run(self, life: Life, *options: str) -> End | None:
        """Run a process to the end of its `life`, then enter the state that follows."""
        process = await startup.start(self.command, self.listener, self.output, *options)
        if isinstance(process, Failure):
            await self._enter(process)
            return process
        try:
            end = await life(process)
            await self._enter(end)
        except BaseException:
            await process.terminate()
            raise
        # In the background: a new process may start while this one completes its requests.
        stopping = self._stopping.stop(process, complete=isinstance(end, Idle | Outdated))
        if end is None:
            await stopping
        return end

    async def _repair(self, offer: Offer, process: MLflowProcess) -> Failure | None:
        """Follow a repair, without a time limit: to interrupt it would be worse."""
        failure = await startup.follow(process, self.status)
        return failure and startup.naming_copies(failure, offer.copies)

    async def _serve(self, process: MLflowProcess) -> End:
        """Follow a start, then leave the socket to MLflow until it ends or should be stopped."""
        _logger.info("Started MLflow (pid %d): %s", process.pid, self._why)
        if failure := await startup.follow(process, self.status, self.start_timeout):
            if process.was_killed:
                return Crashed(f"{failure.reason} {failure.remedy}")
            return failure
        seconds, began = self.status.progress.seconds, time.monotonic()
        self._enter_ready()
        _logger.info("MLflow is ready (pid %d) after %.1f s", process.pid, seconds)
        while report := await process.next_report():
            if isinstance(report, Idle):
                what = "Stopping MLflow (pid %d) after %g s without use"
                _logger.info(what, process.pid, report.seconds)
                return report
            if isinstance(report, StoreReplaced):
                what = "Stopping MLflow (pid %d): %s is no longer the file that it has opened"
                _logger.warning(what, process.pid, report.path)
                return Outdated(report.path, served=time.monotonic() - began)
        await process.wait()
        return Crashed("MLflow ended unexpectedly.", served=time.monotonic() - began)

    async def _enter(self, end: End | None) -> None:
        """Enter the state that follows `end`, and accept again before MLflow stops to."""
        match end:
            case Crashed(reason, served):
                delay = self.status.backoff.after(served)
                self._why = "restart after a crash"
                self._enter_starting(delay, f"{reason} It is restarted.")
                _logger.warning("%s Restarting in %g s.", reason, delay)
            case Outdated(path, served):
                # At once; with a delay only if the file keeps changing.
                delay = self._replacements.after(served) - FIRST_DELAY
                self._why = "restart with another store"
                self._enter_starting(delay, f"{path} was replaced. It is opened again.")
                self._held.hold_all(delay)
            case Idle():
                self.status.state = State.IDLE
                self._held.hold_all()
            case Failure(reason, remedy):
                self.status.retries.count()
                self.status.failure = end
                self.status.state = State.FAILED
                self._held.release(is_ready=False)
                _logger.error("MLflow cannot start. %s %s", reason, remedy)
        await self._front.open()

    def _enter_starting(self, delay: float = 0.0, text: str = "") -> None:
        self.status.progress = StartProgress(self.history, delay=delay, text=text)
        self.status.retried, self.status.failure = self.status.failure, None
        self.status.state = State.STARTING
        self._held.hold()

    def _enter_ready(self) -> None:
        self.status.retries.reset()
        self.status.retried = None
        self.status.state = State.READY
        self._front.close()
        self._held.release(is_ready=True)
