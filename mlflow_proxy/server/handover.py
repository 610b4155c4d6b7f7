"""The supervisor takes the socket back, while this process completes its requests and ends."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.shared.reports import HandedOver, Idle, Report, StoreReplaced


class Handover:
    """Begins with a report; the supervisor then accepts, and stops this process."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self.report = report
        self.has_begun = False
        self.has_stopped_accepting = asyncio.Event()
        """Set once every new request is one for the supervisor."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that serves, once it does."""
        self.end_jobs: Callable[[], None] = lambda: None
        """Ends MLflow's jobs, whose requests would be use and start MLflow again."""

    def request(self) -> None:
        """Begin because the supervisor asks for it; any thread may call this."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if self.loop is not None:
                self.loop.call_soon_threadsafe(self._begin_as_requested)

    def _begin_as_requested(self) -> None:
        self.end_jobs()
        self.has_begun = True
        self.report(HandedOver())  # also if it had begun: the supervisor waits for this answer

    def begin(self, why: Idle | StoreReplaced) -> None:
        """Ask the supervisor to take over; idempotent."""
        if not self.has_begun:
            self.has_begun = True
            self.report(why)


def closing(app: ASGIApp, handover: Handover) -> ASGIApp:
    """`app`, whose responses close their connections once the handover has begun.

    The next request of the client is then one for the supervisor. A response before the end of the
    body does not, because uvicorn would then close at once, and the client, still sending, could
    miss it. Jupyter closes such a connection by itself.
    """

    async def app_that_closes(scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        is_complete = not has_body

        async def receive_and_note() -> Message:
            nonlocal is_complete
            message = await receive()
            is_complete = is_complete or not message.get("more_body")
            return message

        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and handover.has_begun and is_complete:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await app(scope, receive_and_note, send_closing)

    async def app_for_all(scope: Scope, receive: Receive, send: Send) -> None:
        await (app_that_closes if scope["type"] == "http" else app)(scope, receive, send)

    return app_for_all
