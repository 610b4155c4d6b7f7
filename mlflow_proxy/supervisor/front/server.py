"""The supervisor's HTTP server, on its own socket, and on MLflow's while MLflow does not accept."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from .http import MAX_HEAD, BadRequestError, Request, Response, linger, read_request, send
from .sockets import BACKLOG

# Connections without a complete request. Above this number the oldest are closed, unless they are
# new, because Jupyter sends a request at once.
MAX_UNREAD = 100
MAX_AGE = 1.0  # seconds
CHUNK = 16 << 10  # bytes per read; asyncio's default is 256 KiB
CLOSE_DELAY = 0.1  # seconds

_logger = logging.getLogger(__name__)

Respond = Callable[[Request], Response | None]
Relay = Callable[[Request, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Response | None]]


class FrontServer:
    """Accepts connections between `open` and `close`.

    `respond` answers a request, or returns None for one that `relay` sends on to MLflow. The socket
    listens all the time: connections that are not accepted wait in its backlog.
    """

    def __init__(
        self, listener: socket.socket, respond: Respond, relay: Relay | None = None
    ) -> None:
        self._listener = listener
        self._respond = respond
        self._relay = relay
        self._server: asyncio.Server | None = None
        self._unread: dict[asyncio.StreamWriter, float] = {}  # time of accept, the oldest first

    async def open(self) -> None:
        """Start to accept; idempotent."""
        if self._server is None:
            # asyncio closes the socket that it is given, so it gets a duplicate. It also calls
            # `listen` again, which would shorten the backlog to 100.
            self._server = await asyncio.start_server(
                self._serve, sock=self._listener.dup(), limit=MAX_HEAD, backlog=BACKLOG
            )

    def close(self) -> None:
        """Stop accepting; requests on accepted connections are answered. Idempotent."""
        if self._server is not None:
            loop = asyncio.get_running_loop()
            for each in self._server.sockets:
                loop.remove_reader(each.fileno())
            # asyncio drops a connection that is accepted in the iteration in which its server
            # closes. https://github.com/python/cpython/issues/109564
            loop.call_later(CLOSE_DELAY, self._server.close)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await self._serve_request(reader, writer)
        except Exception:  # outermost loop of a connection: the others must be served
            _logger.exception("A request could not be answered")
        finally:
            writer.close()

    async def _serve_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            request = await self._read(reader, writer)
        except BadRequestError as error:
            await send(writer, Response(error.status, error.status.phrase.encode()))
        else:
            if request is None:
                return
            response = self._answer(request)
            if response is None and self._relay:
                response = await self._relay(request, reader, writer)
            if response:
                await send(writer, response, head_only=request.method == "HEAD")
        await linger(reader)

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Request | None:
        writer.transport.max_size = CHUNK  # type: ignore[attr-defined]
        self._unread[writer] = time.monotonic()
        self._close_oldest()
        try:
            return await read_request(reader)
        finally:
            del self._unread[writer]

    def _close_oldest(self) -> None:
        for writer, accepted in list(self._unread.items())[:-MAX_UNREAD]:
            if time.monotonic() - accepted > MAX_AGE:
                writer.transport.abort()

    def _answer(self, request: Request) -> Response | None:
        try:
            return self._respond(request)
        except Exception:
            _logger.exception("%s %s could not be answered", request.method, request.path)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return Response(status, b"Internal error of the MLflow supervisor; see its log.")
