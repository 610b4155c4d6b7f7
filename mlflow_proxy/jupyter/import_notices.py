"""Takes notice when a kernel, or another process of the user, imports MLflow.

A notice is a datagram on a unix socket, whose path the process finds in its environment. So neither
side waits for the other. What a datagram holds is not read.
"""

import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tornado.ioloop import IOLoop

from mlflow_proxy.shared.addresses import IMPORT_SOCKET, IMPORT_SOCKET_NAME

from .entry_point import unix_socket

PAUSE = 2.0  # seconds after a notice in which others are dropped
MAX_DROPPED = 1000  # at once; the kernel of Linux queues 10 to 512


class ImportNotices:
    """Awaits `act` after a notice, unless it is running or ended less than `PAUSE` seconds ago."""

    def __init__(self, act: Callable[[], Awaitable[None]]) -> None:
        self._act = act
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._receiver.setblocking(False)

    def listen(self, loop: IOLoop) -> None:
        """Take notice on `loop` from now on; kernels that start from now on find the socket.

        Raises:
            OSError: the socket cannot be created.
        """
        path = Path(unix_socket()).with_name(IMPORT_SOCKET_NAME)
        self._receiver.bind(os.fspath(path))
        path.chmod(0o600)
        os.environ[IMPORT_SOCKET] = os.fspath(path)
        self._loop = loop
        self._wait()

    def _wait(self) -> None:
        self._loop.add_handler(self._receiver, self._received, IOLoop.READ)

    def _received(self, *_event: Any) -> None:
        self._loop.remove_handler(self._receiver)
        self._loop.add_callback(self._take_notice)

    async def _take_notice(self) -> None:
        try:
            await self._act()
        finally:
            self._loop.call_later(PAUSE, self._wait_again)

    def _wait_again(self) -> None:
        with contextlib.suppress(BlockingIOError):  # the queue is empty
            for _ in range(MAX_DROPPED):
                self._receiver.recv(1)
        self._wait()
