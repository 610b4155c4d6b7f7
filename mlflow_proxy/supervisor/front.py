"""The supervisor's own answers on the shared listening socket, for as long as it is its turn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from .http import MAX_HEAD, BadRequestError, Request, Response, linger, read_request, send
from .sockets import BACKLOG

# Connections whose request has not come yet. Beyond so many, the oldest are closed, unless they
# are new: Jupyter sends a request at once.
MAX_UNREAD = 100
PATIENCE = 1.0  # seconds
CHUNK = 16 << 10  # bytes to read at once; asyncio would read 256 KiB before anybody looks at them
CLOSE_DELAY = 0.1  # seconds

_logger = logging.getLogger(__name__)

PassOn = Callable[[Request, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Response | None]]


class Front:
    """Accepts connections between `open` and `close`.

    `answer` answers a request, or returns None for one that is `pass_on`'s.
    The socket listens all the time: what nobody accepts waits in its queue for whoever is next.
    """

    def __init__(
        self,
        listener: socket.socket,
        answer: Callable[[Request], Response | None],
        pass_on: PassOn,
    ) -> None:
        self._listener = listener
        self._answer = answer
        self._pass_on = pass_on
        self._server: asyncio.Server | None = None
        self._unread: dict[asyncio.StreamWriter, float] = {}  # since when; the oldest first

    async def open(self) -> None:
        """Begin to accept; does nothing when it does already."""
        if self._server is None:
            # asyncio closes the socket that it is given, so it gets a duplicate; and it listens
            # anew, which would shorten the queue to 100.
            self._server = await asyncio.start_server(
                self._serve, sock=self._listener.dup(), limit=MAX_HEAD, backlog=BACKLOG
            )

    def close(self) -> None:
        """Accept no more; requests that were accepted are answered."""
        if self._server is not None:
            loop = asyncio.get_running_loop()
            for each in self._server.sockets:
                loop.remove_reader(each.fileno())
            # asyncio forgets a connection that was accepted in the turn in which its server closes.
            # https://github.com/python/cpython/issues/109564
            loop.call_later(CLOSE_DELAY, self._server.close)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await self._answer_one(reader, writer)
        except Exception:  # the outermost loop of a request: the next one must be answered
            _logger.exception("A request could not be answered")
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._read(reader, writer)
        except BadRequestError as error:
            await send(writer, Response(error.status, error.status.phrase.encode()))
        else:
            if request is None:
                return
            response = self._respond(request) or await self._pass_on(request, reader, writer)
            if response:
                await send(writer, response, head_only=request.method == "HEAD")
        await linger(reader)

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Request | None:
        writer.transport.max_size = CHUNK  # type: ignore[attr-defined]
        self._unread[writer] = time.monotonic()
        self._make_room()
        try:
            return await read_request(reader)
        finally:
            del self._unread[writer]

    def _make_room(self) -> None:
        for writer, since in list(self._unread.items())[:-MAX_UNREAD]:
            if time.monotonic() - since > PATIENCE:
                writer.transport.abort()

    def _respond(self, request: Request) -> Response | None:
        try:
            return self._answer(request)
        except Exception:
            _logger.exception("%s %s could not be answered", request.method, request.path)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return Response(status, b"The MLflow supervisor has made a mistake; see its log.")
