"""Changes the state of MLflow, and what goes with it: who accepts, and which requests are held."""

import logging

from mlflow_proxy.shared.reports import Failure, Idle

from .backoff import FIRST_DELAY, Backoff
from .front.held_requests import HeldRequests
from .front.server import FrontServer
from .progress import StartHistory, StartProgress
from .state import Crashed, End, Outdated, Requested, State, Status

_logger = logging.getLogger(__name__)


class Transitions:
    """Enters states; nothing else changes the state of `status`."""

    def __init__(
        self, status: Status, history: StartHistory, held: HeldRequests, front: FrontServer
    ) -> None:
        self.status = status
        self._history = history
        self._held = held
        self._front = front
        self._replacements = Backoff()
        self.why = "requested"
        """Why MLflow is started, for the log."""

    async def enter(self, end: End | None) -> None:
        """Enter the state that follows `end`, and accept again before MLflow stops to.

        The state that follows a request of the user was entered with the request.
        """
        match end:
            case Crashed(reason, served):
                delay = self.status.backoff.after(served)
                self.why = "restart after a crash"
                self.enter_starting(delay, f"{reason} It is restarted.")
                _logger.warning("%s Restarting in %g s.", reason, delay)
            case Outdated(path, served):
                # At once; with a delay only if the file keeps changing.
                delay = self._replacements.after(served) - FIRST_DELAY
                self.why = "restart with another store"
                self.enter_starting(delay, f"{path} was replaced. It is opened again.")
                self._held.hold_all(delay)
            case Idle():
                self.enter_idle(end)
            case Failure(reason, remedy):
                self.status.retries.count()
                self.status.failure = end
                self.status.enter(State.FAILED)
                self._held.release(is_ready=False)
                _logger.error("MLflow cannot start. %s %s", reason, remedy)
        await self._front.open()

    def enter_requested_start(self) -> None:
        """Enter `State.STARTING` because somebody uses MLflow."""
        self.status.backoff = Backoff()
        self.why = "requested"
        self.enter_starting()

    def enter_starting(self, delay: float = 0.0, text: str = "") -> None:
        """Enter `State.STARTING`; the start begins in `delay` seconds."""
        status = self.status
        status.progress = StartProgress(self._history, delay=delay, text=text)
        status.retried, status.failure = status.failure, None
        status.enter(State.STARTING)
        self._held.hold()

    def enter_ready(self) -> None:
        """Enter `State.READY`: only MLflow accepts."""
        self.status.retries.reset()
        self.status.retried = None
        self.status.enter(State.READY)
        self._front.close()
        self._held.release(is_ready=True)

    def enter_idle(self, why: Idle | Requested) -> None:
        """Enter `State.IDLE`."""
        self.status.stopped = why
        self.status.enter(State.IDLE)
        self._held.hold_all()
