"""A request's body: whole, if it is small, so that the request can be repeated, or a stream."""

import asyncio
from collections.abc import AsyncIterator

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from mlflow_proxy.headers import MAX_DISCARDED

MAX_WHOLE = 64 << 10  # bytes of a body that is kept, so that the request can be repeated


class DisconnectedError(Exception):
    """The client has disconnected."""


class ConnectionLostError(ConnectionError):
    """The connection to the server has broken, and the body cannot be sent again."""


class RequestBody:
    """The body of one request.

    Only `_next` receives, for one reader at a time: a server gives each message to one of two that
    wait for it, and the other would wait for ever.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        self._receive = receive
        # Both in one request: the length does not count (RFC 9112, 6.3).
        is_chunked = "transfer-encoding" in headers
        self.length = None if is_chunked else int(headers.get("content-length") or 0)
        """Bytes; None if the client does not say."""
        self._is_read = False
        self._ended = asyncio.Event()
        self._receiving = asyncio.Lock()

    @property
    def is_complete(self) -> bool:
        """Whether the client has sent all of it, or has disconnected."""
        return self._ended.is_set()

    async def whole(self, limit: int = MAX_WHOLE) -> bytes | None:
        """Read it, if it says that it has at most `limit` bytes; else None.

        Raises:
            DisconnectedError: the client has disconnected.
        """
        if self.length is None or self.length > limit:
            return None
        return b"".join([chunk async for chunk in self])

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks.

        Raises:
            ConnectionLostError: on the second call. aiohttp repeats a `PUT` whose connection broke,
                and would send only the rest of the body.
        """
        if self._is_read:
            raise ConnectionLostError("A streamed body can be read only once")
        self._is_read = True
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while (message := await self._next()) is not None:
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            if chunk := message.get("body", b""):
                yield chunk

    async def _next(self) -> Message | None:
        async with self._receiving:
            if self.is_complete:
                return None
            message = await self._receive()
            if not message.get("more_body"):  # a disconnect has none
                self._ended.set()
            return message

    async def disconnect(self) -> None:
        """Wait until the client disconnects."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def discard(self) -> None:
        """Read the rest, up to a limit, when its reader has ended early.

        An answer before that closes the connection, which a client that still sends often notices
        before it reads the answer.
        """
        size = 0
        while size < MAX_DISCARDED and (message := await self._next()) is not None:
            size += len(message.get("body", b""))
