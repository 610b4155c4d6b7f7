"""Starts MLflow in the background, before the first click: `c.MLflowProxy.prestart`."""

import time

from jupyter_server.serverapp import ServerApp

from .supervisor_process import SupervisorProcess

INTERVAL = 2.0  # seconds between checks of whether Jupyter has settled
QUIET = 0.1  # CPU share below which Jupyter counts as settled
MAX_WAIT = 60.0  # seconds after which MLflow is started in any case


def schedule(server_app: ServerApp, process: SupervisorProcess) -> None:
    """Start `process` once Jupyter has started and settled."""

    async def start() -> None:
        try:
            await process.ensure("--background")
        except Exception:  # the first click tries again and shows its error
            server_app.log.exception("MLflow could not be started in the background")

    began, used = time.monotonic(), 0.0

    def start_if_settled() -> None:
        nonlocal used
        before, used = used, time.process_time()
        if used - before > QUIET * INTERVAL and time.monotonic() - began < MAX_WAIT:
            server_app.io_loop.call_later(INTERVAL, start_if_settled)
        else:
            server_app.io_loop.add_callback(start)

    server_app.io_loop.call_later(INTERVAL, start_if_settled)
