"""The supervisor takes the socket back, while this process completes its requests and ends."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.shared.reports import Idle, Report, StoreReplaced


class Handover:
    """Begins with a report; the supervisor then accepts, and stops this process."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self.report = report
        self.has_begun = False
        self.has_stopped_accepting = asyncio.Event()
        """Set once every new request is one for the supervisor."""

    def begin(self, why: Idle | StoreReplaced) -> None:
        """Ask the supervisor to take over; idempotent."""
        if not self.has_begun:
            self.has_begun = True
            self.report(why)


def closing(app: ASGIApp, handover: Handover) -> ASGIApp:
    """`app`, whose responses close their connections once the handover has begun.

    The next request of the client is then one for the supervisor.
    """

    async def app_that_closes(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and handover.has_begun:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await app(scope, receive, send_closing if scope["type"] == "http" else send)

    return app_that_closes
