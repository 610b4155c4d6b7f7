"""Starts MLflow in the background, before the first click: `c.MLflowProxy.prestart`.

"auto" stands for "kernel" on a machine of the user's own that has memory to spare, else for False.
With "kernel", when a kernel or another process of the user imports MLflow. It then sends a notice:
a datagram to a port of the loopback interface, with a token, both of which it finds in its
environment. So neither side waits for the other, and nothing is left when Jupyter is killed.
"""

import contextlib
import hmac
import math
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp
from tornado.ioloop import IOLoop

from .addresses import IMPORT_NOTICE
from .hub import is_on_hub
from .life import Life

INTERVAL = 2.0  # seconds between checks of whether Jupyter has settled
QUIET = 0.1  # CPU share below which Jupyter counts as settled
MAX_WAIT = 60.0  # seconds after which MLflow is started in any case
PAUSE = 2.0  # seconds between looks at what has arrived
MAX_READ = 1000  # datagrams at once; others are dropped by the system
MIN_FREE = 2e9  # bytes; MLflow takes an eighth of it, the notebook that imports it at least as much
AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)
CACHE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)  # given up when needed
# Of a cgroup, version 2 and 1: the limit, and what is used.
CGROUP_FILES = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def schedule(server_app: ServerApp, life: Life, when: bool | str) -> None:
    """Start MLflow when the setting says."""
    os.environ.pop(IMPORT_NOTICE, None)  # of a Jupyter server in a terminal of which this one runs
    when = chosen(when)
    if when == "kernel":
        try:
            ImportNotices(life.prestart).listen(server_app.io_loop)
        except OSError as error:
            server_app.log.warning("MLflow is not started by kernels: %s", error)
    elif when:
        _once_settled(server_app.io_loop, life.prestart)


def chosen(when: bool | str) -> bool | str:
    """What the setting stands for on this machine."""
    if when != "auto":
        return when
    return "kernel" if not is_on_hub() and free_memory() >= MIN_FREE else False


def free_memory(root: Path = Path("/")) -> float:
    """Bytes of memory that this process can still get; infinite if the system does not tell."""
    free = [math.inf]
    with contextlib.suppress(OSError):
        free += [1024 * int(kib) for kib in AVAILABLE.findall(_read(root / "proc/meminfo"))]
    for folder in _cgroups(root):
        for limit, used in CGROUP_FILES:
            with contextlib.suppress(OSError, ValueError):  # of the other version; "max"
                cache = CACHE.search(_read(folder / "memory.stat"))
                reclaimable = int(cache[1]) if cache else 0
                free.append(int(_read(folder / limit)) - int(_read(folder / used)) + reclaimable)
    return min(free)


def _cgroups(root: Path) -> Iterator[Path]:
    """The folders of this process's cgroups, each with those around it, whose limits count too."""
    with contextlib.suppress(OSError):
        for line in _read(root / "proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            mount = root / "sys/fs/cgroup" / ("memory" if "memory" in controllers else "")
            place = Path(path.lstrip("/"))
            yield from (mount / each for each in (place, *place.parents))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _once_settled(loop: IOLoop, start: Callable[[], None]) -> None:
    began, used = time.monotonic(), 0.0

    def start_if_settled() -> None:
        nonlocal used
        before, used = used, time.process_time()
        if used - before > QUIET * INTERVAL and time.monotonic() - began < MAX_WAIT:
            loop.call_later(INTERVAL, start_if_settled)
        else:
            loop.add_callback(start)

    loop.call_later(INTERVAL, start_if_settled)


class ImportNotices:
    """Calls `act`, which starts MLflow unless it runs, after notices, once in `PAUSE` seconds."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._token = secrets.token_hex(16).encode()
        self._receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._receiver.setblocking(False)

    def listen(self, loop: IOLoop) -> None:
        """Take notice on `loop` from now on; kernels that start from now on find the port.

        Raises:
            OSError: there is no loopback interface.
        """
        self._receiver.bind(("127.0.0.1", 0))
        port = self._receiver.getsockname()[1]
        os.environ[IMPORT_NOTICE] = f"{port} {self._token.decode()}"
        self._loop = loop
        self._wait()

    def _wait(self) -> None:
        self._loop.add_handler(self._receiver, self._received, IOLoop.READ)

    def _received(self, *_event: Any) -> None:
        self._loop.remove_handler(self._receiver)
        if self._take_all():
            self._act()
        self._loop.call_later(PAUSE, self._wait)

    def _take_all(self) -> bool:
        """Read what has arrived; returns whether one of it was sent by the user's processes."""
        found = False
        with contextlib.suppress(BlockingIOError):  # there is no more
            for _ in range(MAX_READ):
                found |= hmac.compare_digest(self._receiver.recv(64), self._token)
        return found
