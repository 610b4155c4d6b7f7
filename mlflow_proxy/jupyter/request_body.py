"""A request's body while it is streamed."""

import asyncio
from collections.abc import AsyncIterator

from tornado import httputil

CHUNKS = 2  # in memory at a time; tornado reads 64 KiB each
MAX_REFUSED = 512 << 10  # bytes of a body that is read although the request is refused


def is_small(headers: httputil.HTTPHeaders) -> bool:
    """Whether the body of a request with these headers is read although it is refused."""
    length = headers.get("Content-Length", "0")
    is_chunked = "Transfer-Encoding" in headers
    return not is_chunked and length.isdecimal() and int(length) <= MAX_REFUSED


class RequestBody:
    """A bounded stream of chunks: `put` blocks until the reader catches up."""

    END = b""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=CHUNKS)
        self._is_read = self._is_closed = False
        self.discarded = 0
        """Bytes put after `close`."""

    async def put(self, chunk: bytes) -> None:
        """Add `chunk`, or `END` after the last one; blocks while the stream is full."""
        if self._is_closed:
            self.discarded += len(chunk)
        else:
            await self._chunks.put(chunk)

    def close(self) -> None:
        """Stop reading: discard what is put from now on, so that `put` does not block."""
        self._is_closed = True
        while not self._chunks.empty():
            self._chunks.get_nowait()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks.

        Raises:
            RuntimeError: on the second call. aiohttp may repeat a `PUT` after its connection broke,
                and would send only the rest of the body.
        """
        if self._is_read:
            raise RuntimeError("A streamed body can be read only once")
        self._is_read = True
        return self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        while chunk := await self._chunks.get():
            yield chunk
