"""uvicorn on a socket that somebody else listens on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from .middleware import wrap
from .middleware.types import ASGIApp

GRACEFUL_SHUTDOWN = 4  # seconds for requests in flight; the supervisor waits for 5


def run(
    app: ASGIApp, static_folder: Path, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve `app` on `listener` until SIGTERM; `ready` is called once connections are accepted."""
    config = uvicorn.Config(
        wrap(app, static_folder),
        log_config=None,
        access_log=False,
        proxy_headers=False,  # Jupyter has looked at them
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
    )
    ReportingServer(config, ready).run(sockets=[listener])


class ReportingServer(uvicorn.Server):
    """Tells when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then tell."""
        await super().startup(sockets)
        if self.started:
            self._ready()
