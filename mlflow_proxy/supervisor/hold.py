"""Requests that wait for MLflow to come back from an idle stop, and are then handed on to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from .http import Request, Response

MAX_HELD = 100  # requests; each keeps its head and up to 128 KiB of its body in memory
CHUNK = 64 << 10  # bytes


class Hold:
    """Holds requests from `begin` to `end`; MLflow accepts on `listener` after that, or has failed.

    `refuse` makes the answer to those that MLflow cannot answer.
    """

    def __init__(self, listener: socket.socket, refuse: Callable[[Request], Response]) -> None:
        self._address = listener.getsockname()
        self._refuse = refuse
        self._ended = asyncio.Event()
        self._is_serving = False
        self._held = 0

    def begin(self) -> None:
        """From now on requests wait."""
        self._ended.clear()

    def end(self, is_serving: bool) -> None:
        """MLflow serves, or it does not start: nobody waits any more."""
        self._is_serving = is_serving
        self._ended.set()

    async def pass_on(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Response | None:
        """Wait, then let MLflow answer (None); otherwise returns the answer.

        `reader` and `writer` are those of the connection, its `request` read from it.
        """
        if self._held >= MAX_HELD:
            return self._refuse(request)
        self._held += 1
        try:
            await self._ended.wait()
        finally:
            self._held -= 1
        if not self._is_serving:
            return self._refuse(request)
        with socket.socket(socket.AF_UNIX) as mlflow:
            mlflow.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(mlflow, self._address)
            except OSError:
                return self._refuse(request)
            await _relay(request.head, reader, writer, mlflow)
        return None


async def _relay(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mlflow: socket.socket
) -> None:
    """Send `head` to MLflow, then every byte both ways, until MLflow has nothing more to say."""
    upload = asyncio.create_task(_upload(head, reader, mlflow))
    try:
        while data := await _receive(mlflow):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    finally:
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)


async def _upload(head: bytes, reader: asyncio.StreamReader, mlflow: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(mlflow, head)
    while data := await reader.read(CHUNK):
        await loop.sock_sendall(mlflow, data)
    mlflow.shutdown(socket.SHUT_WR)


async def _receive(mlflow: socket.socket) -> bytes:
    # A server that answers before it has read everything resets the connection behind its answer.
    # A StreamReader would forget the answer with it.
    try:
        return await asyncio.get_running_loop().sock_recv(mlflow, CHUNK)
    except ConnectionError:
        return b""
