"""Starts MLflow in the background, before the first click: `c.MLflowProxy.prestart`.

With "kernel", when a kernel or another process of the user imports MLflow. It then sends a notice:
a datagram to a port of the loopback interface, with a token, both of which it finds in its
environment. So neither side waits for the other, and nothing is left when Jupyter is killed.
"""

import asyncio
import hmac
import os
import secrets
import socket
from collections.abc import Callable
from typing import Any

from jupyter_server.serverapp import ServerApp

from .addresses import IMPORT_NOTICE
from .life import Life

SETTLE = 10.0  # seconds for Jupyter to start its other extensions, and for JupyterLab to load


def schedule(server_app: ServerApp, life: Life, when: bool | str) -> None:
    """Start MLflow when the setting says."""
    os.environ.pop(IMPORT_NOTICE, None)  # of a Jupyter server in a terminal of which this one runs
    if when == "kernel":
        try:
            notices = ImportNotices(life.prestart)
        except OSError as error:
            server_app.log.warning("MLflow is not started by kernels: %s", error)
        else:
            server_app.io_loop.add_callback(notices.listen)
    elif when:
        server_app.io_loop.call_later(SETTLE, life.prestart)


class ImportNotices(asyncio.DatagramProtocol):
    """Calls `act`, which starts MLflow unless it runs, for each notice of the user's processes."""

    def __init__(self, act: Callable[[], None]) -> None:
        """Choose the port, which kernels that start from now on find in their environment.

        Raises:
            OSError: there is no loopback interface.
        """
        self._act = act
        self._token = secrets.token_hex(16)
        self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._receiver.setblocking(False)
        self._receiver.bind(("127.0.0.1", 0))
        os.environ[IMPORT_NOTICE] = f"{self._receiver.getsockname()[1]} {self._token}"

    async def listen(self) -> None:
        """Take notice from now on."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=self._receiver)

    def datagram_received(self, data: bytes, _address: Any) -> None:
        """Act, unless another user of this machine has sent it."""
        if hmac.compare_digest(data, self._token.encode()):
            self._act()
