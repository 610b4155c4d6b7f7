"""Starts MLflow in the background, before the first click: `c.MLflowProxy.prestart`."""

import time
from typing import Any

from jupyter_server.serverapp import ServerApp
from tornado import httputil

INTERVAL = 2.0  # seconds between checks of whether Jupyter has settled
QUIET = 0.1  # CPU share below which Jupyter counts as settled
MAX_WAIT = 60.0  # seconds after which MLflow is started in any case


def schedule(server_app: ServerApp, handler: type[Any], arguments: dict[str, Any]) -> None:
    """Start the process of `handler` once Jupyter has started and settled."""

    class BackgroundHandler(handler):  # type: ignore[misc]
        def get_cmd(self) -> list[str]:
            return [*super().get_cmd(), "--background"]

    async def start() -> None:
        # Only a handler of jupyter-server-proxy can start its process. This one shares its state
        # with those that serve requests, so that they find the process running.
        line = httputil.RequestStartLine("GET", server_app.base_url, "HTTP/1.0")
        request = httputil.HTTPServerRequest(start_line=line, connection=_NoConnection())
        try:
            await BackgroundHandler(server_app.web_app, request, **arguments).ensure_process()
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


class _NoConnection(httputil.HTTPConnection):
    """The part of a connection that a handler's constructor uses."""

    def set_close_callback(self, callback: Any) -> None:
        """Ignore `callback`, because there is no client that could disconnect."""
