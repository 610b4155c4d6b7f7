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


def run(
    app: ASGIApp,
    unix_socket: Path,
    report: Callable[[Report], None],
    end_jobs: Callable[[], None] = lambda: None,
) -> None:
    """Serve `app` on `unix_socket` until SIGTERM; `report` when it is ready.

    Jupyter's signal (`process.RETIRE`) says that no further requests come. Then `end_jobs` is
    called, because the requests of MLflow's jobs would be use and start MLflow again.
    """
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
        server = _ReportingServer(config, aside, unix_socket, report, end_jobs)
        server.run(sockets=[listener])


class _ReportingServer(uvicorn.Server):
    """Puts its socket in place and reports when it is ready."""

    def __init__(
        self,
        config: uvicorn.Config,
        aside: Path,
        path: Path,
        report: Callable[[Report], None],
        end_jobs: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._aside = aside
        self._path = path
        self._report = report
        self._end_jobs = end_jobs

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then report it."""
        await super().startup(sockets)
        if self.started:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._retire)
            self._aside.rename(self._path)
            self._report(Ready())

    def _retire(self) -> None:
        self._end_jobs()
        self._report(Retired())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, with MLflow's jobs, and leave no socket."""
        self._end_jobs()
        await super().shutdown(sockets)
        shutil.rmtree(self._path.parent, ignore_errors=True)
