"""Requests that are held while MLflow is stopped or starts, then relayed to it."""

import asyncio
import socket

from .http import Request

MAX_HELD = 100  # requests; each keeps its head and up to 128 KiB of its body in memory
MAX_DELAY = 2.0  # seconds; a client would rather know, and come back
CHUNK = 64 << 10  # bytes


class HeldRequests:
    """Holds requests between `hold` and `release`; MLflow then accepts on `listener`, or failed.

    It holds from the beginning.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._address = listener.getsockname()
        self._released = asyncio.Event()
        self._is_ready = False
        self._count = 0
        self.holds_all = False
        """Whether all requests are to be held, not only those that ask to wait."""

    def hold(self) -> None:
        """Hold requests from now on."""
        self._released.clear()

    def hold_all(self, delay: float = 0.0) -> None:
        """Hold all requests from now on, unless the start is more than `MAX_DELAY` seconds away.

        No client must notice that MLflow was stopped.
        """
        self.hold()
        self.holds_all = delay <= MAX_DELAY

    def release(self, is_ready: bool) -> None:
        """Relay all held requests if MLflow is ready, otherwise refuse them; idempotent."""
        self._is_ready = is_ready
        self.holds_all = False
        self._released.set()

    async def relay(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Hold `request`, then have MLflow answer it; returns False if MLflow cannot.

        `reader` and `writer` are those of the connection; the request's head has been read.
        """
        if self._count >= MAX_HELD:
            return False
        self._count += 1
        try:
            await self._released.wait()
        finally:
            self._count -= 1
        if not self._is_ready:
            return False
        with socket.socket(socket.AF_UNIX) as mlflow:
            mlflow.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(mlflow, self._address)
            except OSError:
                return False
            await _relay(request.head, reader, writer, mlflow)
        return True


async def _relay(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mlflow: socket.socket
) -> None:
    """Send `head` to MLflow, then relay bytes both ways until MLflow has sent everything.

    The connection is for this request only: the next one should go to MLflow directly.
    """
    head = head.replace(b"\r\nConnection: keep-alive\r\n", b"\r\nConnection: close\r\n", 1)
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
    # A server that responds before it has read everything resets the connection after its response.
    # A StreamReader would then discard the response.
    try:
        return await asyncio.get_running_loop().sock_recv(mlflow, CHUNK)
    except ConnectionError:
        return b""
