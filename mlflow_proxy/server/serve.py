"""uvicorn on a unix socket of its own, which is in place once MLflow is ready."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from mlflow_proxy.headers import KEEP_ALIVE
from mlflow_proxy.reports import Ready, Report, Retired

BACKLOG = 2048
GRACEFUL_SHUTDOWN = 4  # seconds for requests in flight; Jupyter waits for 5


class Retirement:
    """Begins when Jupyter sends no further requests here (`process.RETIRE`).

    The requests in flight are completed; then Jupyter sends SIGTERM.
    """

    def __init__(self, report: Callable[[Report], None]) -> None:
        self.report = report
        self.end_jobs: Callable[[], None] = lambda: None
        """Ends MLflow's jobs, whose requests would be use and start MLflow again."""

    def listen(self) -> None:
        """Begin with the signal, from now on; called in the loop that serves."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._begin)

    def _begin(self) -> None:
        self.end_jobs()
        self.report(Retired())


def run(app: ASGIApp, unix_socket: Path, retirement: Retirement) -> None:
    """Serve `app` on `unix_socket` until SIGTERM; report when it is ready."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # Jupyter has evaluated them
        server_header=False,
        timeout_keep_alive=int(3 * KEEP_ALIVE),
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
    )
    # The socket is made aside, so that a client finds it only once MLflow answers. It takes the
    # place of that of a process that has crashed. No longer than its path: there is a limit.
    aside = unix_socket.with_name(f"{os.getpid():x}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(aside))
        aside.chmod(0o600)
        listener.listen(BACKLOG)
        server = _ReportingServer(config, aside, unix_socket, retirement)
        server.run(sockets=[listener])


class _ReportingServer(uvicorn.Server):
    """Puts its socket in place and reports when it is ready."""

    def __init__(
        self, config: uvicorn.Config, aside: Path, path: Path, retirement: Retirement
    ) -> None:
        super().__init__(config)
        self._aside = aside
        self._path = path
        self._retirement = retirement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then report it."""
        await super().startup(sockets)
        if self.started:
            self._retirement.listen()
            self._aside.rename(self._path)
            self._retirement.report(Ready())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, with MLflow's jobs, and leave no socket."""
        self._retirement.end_jobs()
        await super().shutdown(sockets)
        shutil.rmtree(self._path.parent, ignore_errors=True)
