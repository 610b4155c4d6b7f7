"""Starts MLflow in the background, before the first click: `c.MLflowProxy.prestart`.

With "kernel", when a kernel or another process of the user imports MLflow. It then sends a notice:
a datagram to a port of the loopback interface, with a token, both of which it finds in its
environment. So neither side waits for the other, and nothing is left when Jupyter is killed.
"""

import asyncio
import contextlib
import hmac
import math
import os
import re
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp

from .addresses import HUB, IMPORT_NOTICE
from .life import Life

SETTLE = 10.0  # seconds for Jupyter to start its other extensions, and for JupyterLab to load
MIN_FREE = 2e9  # bytes; MLflow takes an eighth of it, the notebook that imports it at least as much
AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)
CACHE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)  # given up when needed
# Of a cgroup, version 2 and 1: the limit, and what is used.
CGROUP_FILES = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def schedule(server_app: ServerApp, life: Life, when: bool | str) -> None:
    os.environ.pop(IMPORT_NOTICE, None)  # of a Jupyter server in a terminal of which this one runs
    when = chosen(when)
    if when == "kernel":
        try:
            notices = ImportNotices(life.prestart)
        except OSError as error:
            server_app.log.warning("MLflow is not started by kernels: %s", error)
        else:
            server_app.io_loop.add_callback(notices.listen)
    elif when:
        server_app.io_loop.call_later(SETTLE, life.prestart)


def chosen(when: bool | str) -> bool | str:
    """What the setting stands for on this machine."""
    if when != "auto":
        return when
    return "kernel" if HUB not in os.environ and free_memory() >= MIN_FREE else False


def free_memory(root: Path = Path("/")) -> float:
    """Bytes of memory that this process can still get; infinite if the system does not tell."""
    free = [math.inf]
    with contextlib.suppress(OSError):
        free += [1024 * int(kib) for kib in AVAILABLE.findall((root / "proc/meminfo").read_text())]
    for folder in _cgroups(root):
        for limit, used in CGROUP_FILES:
            with contextlib.suppress(OSError, ValueError):  # of the other version; "max"
                cache = CACHE.search((folder / "memory.stat").read_text())
                reclaimable = int(cache[1]) if cache else 0
                left = int((folder / limit).read_text()) - int((folder / used).read_text())
                free.append(left + reclaimable)
    return min(free)


def _cgroups(root: Path) -> Iterator[Path]:
    """The folders of this process's cgroups, each with those around it, whose limits count too."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            mount = root / "sys/fs/cgroup" / ("memory" if "memory" in controllers else "")
            place = Path(path.lstrip("/"))
            yield from (mount / each for each in (place, *place.parents))


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
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=self._receiver)

    def datagram_received(self, data: bytes, _address: Any) -> None:
        """Act, unless another user of this machine has sent it."""
        if hmac.compare_digest(data, self._token.encode()):
            self._act()
