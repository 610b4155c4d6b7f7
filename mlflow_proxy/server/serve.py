"""uvicorn on a unix socket of its own, which is in place once MLflow is ready."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from mlflow_proxy.headers import KEEP_ALIVE
from mlflow_proxy.reports import Ready, Report, Retired

BACKLOG = 2048
GRACEFUL_SHUTDOWN = 4  # seconds for requests in flight; Jupyter waits for 5


def stack(app: ASGIApp, middlewares: Sequence[Middleware]) -> ASGIApp:
    """Put `middlewares` around `app`; a request meets the first one first."""
    for cls, args, kwargs in reversed(middlewares):
        app = cls(app, *args, **kwargs)
    return app


class Server(uvicorn.Server):
    """Serves `app` on `unix_socket` until SIGTERM; calls `report` when it is ready."""

    def __init__(self, app: ASGIApp, unix_socket: Path, report: Callable[[Report], None]) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            proxy_headers=False,  # Jupyter has evaluated them
            server_header=False,
            timeout_keep_alive=int(3 * KEEP_ALIVE),
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
        )
        super().__init__(config)
        self._path = unix_socket
        # The socket is made aside, so that a client finds it only once MLflow answers. It takes the
        # place of that of a process that has crashed. No longer than its path: there is a limit.
        self._aside = unix_socket.with_name(f"{os.getpid():x}")
        self._report = report
        # Called once Jupyter's signal (`process.RETIRE`) says that no further requests come: those
        # of MLflow's jobs would be use, and start MLflow again.
        self.end_jobs: Callable[[], None] = lambda: None

    def listen_and_run(self) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.fspath(self._aside))
            self._aside.chmod(0o600)
            listener.listen(BACKLOG)
            self.run(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._retire)
            self._aside.rename(self._path)
            self._report(Ready())

    def _retire(self) -> None:
        self.end_jobs()
        self._report(Retired())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, with MLflow's jobs, and leave no socket."""
        self.end_jobs()
        await super().shutdown(sockets)
        shutil.rmtree(self._path.parent, ignore_errors=True)
