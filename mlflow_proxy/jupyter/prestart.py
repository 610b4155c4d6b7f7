"""Starts MLflow in the background before anybody has clicked: `c.MLflowProxy.prestart`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tornado import httputil

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

INTERVAL = 2.0  # seconds between looks at whether Jupyter has settled
QUIET = 0.1  # of a core: what Jupyter may use for that
PATIENCE = 60.0  # seconds after which MLflow is started all the same


def schedule(server_app: ServerApp, handler: type[Any], arguments: dict[str, Any]) -> None:
    """Have the process of `handler` started once Jupyter has started and settled."""

    class BackgroundHandler(handler):  # type: ignore[misc]
        def get_cmd(self) -> list[str]:
            return [*super().get_cmd(), "--background"]

    async def start() -> None:
        # The process is jupyter-server-proxy's to start, and it does so from a handler only. This
        # one has the state of those that answer requests: they find the process running.
        request = httputil.HTTPServerRequest("GET", server_app.base_url, connection=_Nobody())
        try:
            await BackgroundHandler(server_app.web_app, request, **arguments).ensure_process()
        except Exception:  # the first click tries again, and tells who clicks
            server_app.log.exception("MLflow could not be started in the background")

    began, used = time.monotonic(), 0.0

    def look() -> None:
        nonlocal used
        before, used = used, time.process_time()
        if used - before > QUIET * INTERVAL and time.monotonic() - began < PATIENCE:
            server_app.io_loop.call_later(INTERVAL, look)
        else:
            server_app.io_loop.add_callback(start)

    server_app.io_loop.call_later(INTERVAL, look)


class _Nobody(httputil.HTTPConnection):
    """What a handler wants to know of whoever asked."""

    def set_close_callback(self, callback: Any) -> None:
        """Nobody goes away."""
