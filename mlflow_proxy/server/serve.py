"""uvicorn on an inherited listening socket."""

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp

from mlflow_proxy.shared.headers import KEEP_ALIVE
from mlflow_proxy.shared.reports import Idle, Ready

from .handover import Handover, closing
from .middleware.use_tracker import LastUse

GRACEFUL_SHUTDOWN = 4  # seconds for requests in flight; the supervisor waits for 5
# Seconds for the first request of a connection to arrive, or for Jupyter to close an unused one.
WAITING_TIMEOUT = KEEP_ALIVE + 2
INTERVAL = 0.05  # seconds between checks


def run(
    app: ASGIApp,
    listener: socket.socket,
    handover: Handover,
    last_use: LastUse,
    idle_timeout: float,
) -> None:
    """Serve `app` on `listener` until SIGTERM; report when it is ready and when it is idle.

    It is idle `idle_timeout` seconds after its last use; 0: never.
    """
    config = uvicorn.Config(
        closing(app, handover),
        log_config=None,
        access_log=False,
        proxy_headers=False,  # Jupyter has evaluated them
        server_header=False,
        timeout_keep_alive=int(3 * KEEP_ALIVE),
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
    )
    ReportingServer(config, handover, last_use, idle_timeout).run(sockets=[listener])


class ReportingServer(uvicorn.Server):
    """Reports when it is ready and when it is idle; a stop in a handover loses no request."""

    def __init__(
        self,
        config: uvicorn.Config,
        handover: Handover,
        last_use: LastUse,
        idle_timeout: float,
    ) -> None:
        super().__init__(config)
        self._handover = handover
        self._last_use = last_use
        self._idle_timeout = idle_timeout

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then report it."""
        await super().startup(sockets)
        if self.started:
            self._handover.loop = asyncio.get_running_loop()
            self._handover.report(Ready())
            if self._idle_timeout:
                self._watch = asyncio.create_task(self._report_when_idle())

    async def _report_when_idle(self) -> None:
        while (left := self._idle_timeout - self._last_use.seconds) > 0:  # noqa: ASYNC110
            await asyncio.sleep(max(left, INTERVAL))
        self._handover.begin(Idle(self._idle_timeout))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, answer the accepted requests, then end."""
        if self._handover.has_begun:
            # A request that has arrived may be an upload of hours. It gets the time that it needs,
            # because the supervisor accepts new requests meanwhile.
            self.config.timeout_graceful_shutdown = None
            for listener in sockets or ():
                asyncio.get_running_loop().remove_reader(listener)
            self._handover.has_stopped_accepting.set()
            # asyncio drops a connection that is accepted in the iteration in which its server
            # closes. https://github.com/python/cpython/issues/109564
            await asyncio.sleep(INTERVAL)
            for server in self.servers:
                server.close()
            await self._wait_for_requests()
        await super().shutdown(sockets)

    async def _wait_for_requests(self) -> None:
        """Wait until no connection waits for a request, because uvicorn would close those."""
        for _ in range(int(WAITING_TIMEOUT / INTERVAL)):
            await asyncio.sleep(INTERVAL)  # an accepted socket becomes a connection
            if not any(is_waiting(each) for each in self.server_state.connections):
                return


def is_waiting(connection: object) -> bool:
    """Whether `connection`, a protocol of uvicorn's, has no request that is being answered."""
    cycle = getattr(connection, "cycle", None)
    return cycle is None or bool(getattr(cycle, "response_complete", False))
