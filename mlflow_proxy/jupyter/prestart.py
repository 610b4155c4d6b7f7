"""Starts MLflow in the background, before the first click: `c.MLflowProxy.prestart`."""

import os
import time
from collections.abc import Awaitable, Callable
from functools import partial

from jupyter_server.serverapp import ServerApp

from mlflow_proxy.shared.addresses import IMPORT_SOCKET

from .import_notices import ImportNotices
from .supervisor_process import SupervisorProcess

INTERVAL = 2.0  # seconds between checks of whether Jupyter has settled
QUIET = 0.1  # CPU share below which Jupyter counts as settled
MAX_WAIT = 60.0  # seconds after which MLflow is started in any case


def schedule(server_app: ServerApp, process: SupervisorProcess, when: bool | str) -> None:
    """Start `process` when the setting says."""
    os.environ.pop(IMPORT_SOCKET, None)  # of a Jupyter server in a terminal of which this one runs
    start = partial(_start, server_app, process)
    if when == "kernel":
        try:
            ImportNotices(start).listen(server_app.io_loop)
        except OSError as error:
            server_app.log.warning("MLflow is not started by kernels: %s", error)
    elif when:
        _once_settled(server_app, start)


async def _start(server_app: ServerApp, process: SupervisorProcess) -> None:
    try:
        await process.prestart()
    except Exception:  # the first click tries again and shows its error
        server_app.log.exception("MLflow could not be started in the background")


def _once_settled(server_app: ServerApp, start: Callable[[], Awaitable[None]]) -> None:
    began, used = time.monotonic(), 0.0

    def start_if_settled() -> None:
        nonlocal used
        before, used = used, time.process_time()
        if used - before > QUIET * INTERVAL and time.monotonic() - began < MAX_WAIT:
            server_app.io_loop.call_later(INTERVAL, start_if_settled)
        else:
            server_app.io_loop.add_callback(start)

    server_app.io_loop.call_later(INTERVAL, start_if_settled)
