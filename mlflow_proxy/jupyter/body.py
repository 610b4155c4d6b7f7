"""A request's body on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

CHUNKS = 2  # in memory at a time; tornado reads 64 KiB at once


class RequestBody:
    """Passes on what is put into it; who puts waits for who reads."""

    END = b""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=CHUNKS)
        self._is_read = self._is_closed = False
        self.forgotten = 0
        """Bytes that came after `close`."""

    async def put(self, chunk: bytes) -> None:
        """Pass `chunk` on, `END` after the last one; wait until there is room for it."""
        if self._is_closed:
            self.forgotten += len(chunk)
        else:
            await self._chunks.put(chunk)

    def close(self) -> None:
        """Nobody reads any more: forget what comes, so that nobody waits."""
        self._is_closed = True
        while not self._chunks.empty():
            self._chunks.get_nowait()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks.

        Raises:
            RuntimeError: for the second time. aiohttp may send a `PUT` anew after its connection
                broke, and would send what is left.
        """
        if self._is_read:
            raise RuntimeError("A body on its way can be read only once")
        self._is_read = True
        return self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        while chunk := await self._chunks.get():
            yield chunk
