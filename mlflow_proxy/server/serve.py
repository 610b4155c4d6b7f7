"""uvicorn on a socket that somebody else listens on."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Protocol

import uvicorn

from .middleware.activity import Activity
from .middleware.types import ASGIApp

GRACEFUL_SHUTDOWN = 4  # seconds for requests in flight; the supervisor waits for 5
HEAD_TIMEOUT = 10.0  # seconds for the first request of a connection to arrive
INTERVAL = 0.05  # seconds between looks
# A hub's proxy takes whatever passes it for activity, so a page that nobody touches must fall
# silent long before a culler looks. That ends its refresh, so it is done on a hub only.
HOLD_AFTER_ON_HUB = 120.0  # seconds


class Reports(Protocol):
    """What the supervisor is told."""

    def ready(self) -> None:
        """MLflow accepts connections."""

    def idle(self, seconds: float) -> None:
        """Nobody has used MLflow for so long: stop it."""


def run(app: ASGIApp, listener: socket.socket, reports: Reports, timeout: float) -> None:
    """Serve `app` on `listener` until SIGTERM; after `timeout` seconds without use ask for it."""
    activity = Activity(app)
    config = uvicorn.Config(
        activity,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # Jupyter has looked at them
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
    )
    ReportingServer(config, reports, activity, timeout).run(sockets=[listener])


def hold_after(timeout: float) -> float:
    """Seconds without input after which a page of the dashboard keeps its requests; 0: never."""
    if "JUPYTERHUB_SERVICE_PREFIX" not in os.environ:
        return timeout  # then MLflow is stopped
    return min(HOLD_AFTER_ON_HUB, timeout or HOLD_AFTER_ON_HUB)


class ReportingServer(uvicorn.Server):
    """Tells when it is ready and when it is idle, and loses no request when it is stopped then."""

    def __init__(
        self, config: uvicorn.Config, reports: Reports, activity: Activity, timeout: float
    ) -> None:
        super().__init__(config)
        self._reports = reports
        self._activity = activity
        self._timeout = timeout
        self._is_idle = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then tell."""
        await super().startup(sockets)
        if self.started:
            self._reports.ready()
            if self._timeout:
                self._watch = asyncio.create_task(self._report_when_idle())

    async def _report_when_idle(self) -> None:
        while (left := self._timeout - self._activity.idle_seconds) > 0:  # noqa: ASYNC110
            await asyncio.sleep(max(left, INTERVAL))
        # Who comes at this very moment may bring an upload of hours, and new requests do not wait
        # for its end: the supervisor has others take them.
        self.config.timeout_graceful_shutdown = None
        self._is_idle = True
        self._reports.idle(self._timeout)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, answer what was accepted, end."""
        if self._is_idle:
            for listener in sockets or ():
                asyncio.get_running_loop().remove_reader(listener)
            # asyncio forgets a connection that was accepted in the turn in which its server closes.
            # https://github.com/python/cpython/issues/109564
            await asyncio.sleep(INTERVAL)
            for server in self.servers:
                server.close()
            await self._wait_for_requests()
        await super().shutdown(sockets)

    async def _wait_for_requests(self) -> None:
        """Wait until every connection has brought a request: uvicorn would close the others."""
        for _ in range(int(HEAD_TIMEOUT / INTERVAL)):
            await asyncio.sleep(INTERVAL)  # what was just accepted becomes a connection
            if not any(is_new(each) for each in self.server_state.connections):
                return


def is_new(connection: object) -> bool:
    """Whether no request has come on `connection` yet."""
    return getattr(connection, "cycle", connection) is None
