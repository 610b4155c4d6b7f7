"""MLflow's life: started, watched, restarted after a crash, ended with Jupyter."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

from mlflow_proxy.shared.addresses import (
    CONTROL_PRESTART,
    CONTROL_RESTART,
    CONTROL_START,
    CONTROL_STOP,
)
from mlflow_proxy.shared.offers import Offer
from mlflow_proxy.shared.reports import Failure

from . import control, serving, shutdown, startup
from .front import answers
from .front.decisions import Decision, decide
from .front.held_requests import HeldRequests
from .front.http import Request, Response
from .front.server import FrontServer
from .logs import MLflowOutput
from .mlflow_process import MLflowCommand, MLflowProcess
from .offers import Offers
from .progress import StartHistory, StartProgress
from .state import End, Requested, State, Status
from .stopping import Stopping
from .transitions import Transitions

_logger = logging.getLogger(__name__)

Life = Callable[[MLflowProcess], Awaitable[End | None]]


@dataclass(kw_only=True)
class Supervisor:
    """Runs MLflow on `listener`, and answers there itself while MLflow is not ready.

    The front server accepts in all states but `READY`.
    """

    listener: socket.socket
    control_listener: socket.socket
    """Where `control` answers, in all states."""
    command: MLflowCommand
    output: MLflowOutput
    history: StartHistory
    offers: Offers
    log_file: Path
    start_timeout: float
    """Seconds."""
    jupyter_pid: int
    background: bool = False
    """Whether the next start has low priority, because no user waits for it."""

    def __post_init__(self) -> None:
        self.status = Status(StartProgress(self.history), self.log_file, self.output.lines)
        self._start_requested = asyncio.Event()
        self._end: asyncio.Future[Requested] = asyncio.get_running_loop().create_future()
        self._is_repairing = False
        self._stopping = Stopping()
        self._held = HeldRequests(self.listener)
        self._front = FrontServer(self.listener, self._respond, self._relay)
        self._states = Transitions(self.status, self.history, self._held, self._front)
        actions = {
            CONTROL_START: self.start,
            CONTROL_PRESTART: self.prestart,
            CONTROL_STOP: self.stop,
            CONTROL_RESTART: self.restart,
        }
        respond = partial(control.respond, status=self.status, actions=actions)
        self._control = FrontServer(self.control_listener, respond)

    def start(self) -> None:
        """Start MLflow if it is stopped or has failed."""
        if self.status.state in (State.IDLE, State.FAILED):
            self._states.enter_requested_start()
            self._start_requested.set()

    def prestart(self) -> None:
        """Start MLflow at low priority if it was stopped for lack of use."""
        if self.status.state is State.IDLE and not self.status.is_stopped_by_user:
            self.background = True
            self.start()

    def stop(self) -> None:
        """Stop MLflow if it starts or is ready; a repair is not stopped. The next use starts it."""
        requested = self._stop()
        if requested and not requested.is_ready:
            self._held.release(is_ready=False)  # there is no start that they could wait for
            self._held.hold_all()

    def restart(self) -> None:
        """Stop MLflow and start it again; requests are held meanwhile."""
        self._stop()
        self.start()

    def _stop(self) -> Requested | None:
        if self._is_repairing or self.status.state not in (State.STARTING, State.READY):
            return None
        requested = Requested(is_ready=self.status.state is State.READY)
        self._states.enter_idle(requested)
        if not self._end.done():
            self._end.set_result(requested)
        return requested

    async def run(self) -> int:
        """Run until Jupyter or a signal ends it; returns the exit code (see `main`)."""
        end = asyncio.create_task(shutdown.wait(self.jupyter_pid))  # first: it handles signals
        await self._control.open()
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
            self._control.close()
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
            self._end = asyncio.get_running_loop().create_future()
            if self.status.state is not State.STARTING:
                await self._start_requested.wait()
                self._start_requested.clear()
                continue
            await asyncio.wait([self._end], timeout=self.status.progress.delay)
            if not self._end.done() and await self._repair_as_agreed():
                options = ("--background",) if self.background else ()
                self.background = False
                await self._run(self._serve, *options)

    async def _repair_as_agreed(self) -> bool:
        """Run the repair that the user has agreed to, if any; returns whether to start MLflow."""
        if not (offer := self.offers.take_agreed()):
            return True
        self._is_repairing = True
        option = f"--repair={offer.repair.value}"
        failure = await self._run(partial(self._repair, offer), option)
        self._is_repairing = False
        if failure:
            # Another failure would replace the message, which says where the copy is.
            self.status.retries.leave_to_people()
            return False
        self._states.enter_starting()
        return True

    async def _run(self, life: Life, *options: str) -> End | None:
        """Run a process to the end of its `life`, then enter the state that follows."""
        process = await startup.start(self.command, self.listener, self.output, *options)
        if isinstance(process, Failure):
            await self._states.enter(process)
            return process
        self.status.pids.append(process.pid)
        try:
            end = await life(process)
            await self._states.enter(end)
        except BaseException:
            await process.terminate()
            raise
        # In the background: a new process may start while this one completes its requests.
        stopping = self._stopping.stop(process, end)
        stopping.add_done_callback(lambda _: self.status.pids.remove(process.pid))
        if end is None:
            await stopping
        return end

    async def _repair(self, offer: Offer, process: MLflowProcess) -> Failure | None:
        """Follow a repair, without a time limit: to interrupt it would be worse."""
        failure = await startup.follow(process, self.status)
        return failure and startup.naming_copies(failure, offer.copies)

    async def _serve(self, process: MLflowProcess) -> End:
        """Follow `process` until it ends, or should be stopped by what it reports or the user."""
        following = serving.follow(process, self._states, self._end, self.start_timeout)
        return await serving.unless_requested(following, process, self._end)
