"""Starts the supervisor outside of any request to the `/mlflow/` route."""

from pathlib import Path
from typing import Any

import aiohttp
from jupyter_server.serverapp import ServerApp
from tornado import httputil

from mlflow_proxy.shared.addresses import CONTROL_PRESTART, CONTROL_SOCKET

from . import connections
from .forwarding import request_url

TIMEOUT = aiohttp.ClientTimeout(total=10)  # seconds; the supervisor waits for nothing


class SupervisorProcess:
    """The supervisor as `handler`, jupyter-server-proxy's, runs it.

    Only a handler of jupyter-server-proxy can start its process. All that have the same `arguments`
    share its state, so that those that serve requests find the process running.
    """

    def __init__(
        self, server_app: ServerApp, handler: type[Any], arguments: dict[str, Any]
    ) -> None:
        class Starter(handler):  # type: ignore[misc]
            options: tuple[str, ...] = ()

            def get_cmd(self) -> list[str]:
                return [*super().get_cmd(), *self.options]

        line = httputil.RequestStartLine("GET", server_app.base_url, "HTTP/1.0")
        request = httputil.HTTPServerRequest(start_line=line, connection=_NoConnection())
        self._starter = Starter(server_app.web_app, request, **arguments)

    @property
    def unix_socket(self) -> str:
        """Path of the socket of the supervisor and MLflow."""
        return str(self._starter.unix_socket)

    @property
    def control_socket(self) -> str:
        """Path of the supervisor's own socket."""
        return str(Path(self.unix_socket).with_name(CONTROL_SOCKET))

    async def ensure(self, *options: str) -> None:
        """Start it with additional `options`, unless it runs; returns once it answers.

        Raises:
            Exception: any exception of jupyter-server-proxy.
        """
        self._starter.options = options
        await self._starter.ensure_process()

    async def prestart(self) -> None:
        """Start MLflow at low priority, unless it runs, has failed or was stopped by the user.

        Raises:
            Exception: any exception of jupyter-server-proxy or aiohttp.
        """
        await self.ensure("--background")
        # If the process was just started, it starts MLflow as well, and this changes nothing.
        await self.ask("POST", CONTROL_PRESTART)

    async def ask(self, method: str, path: str) -> dict[str, Any]:
        """Send the supervisor a request on its own socket; returns its answer.

        Raises:
            aiohttp.ClientConnectionError: it does not run.
            asyncio.TimeoutError: it does not answer.
        """
        async with connections.session(self.control_socket) as session:
            sending = session.request(method, request_url(path), timeout=TIMEOUT)
            async with sending as answer:
                status: dict[str, Any] = await answer.json()
                return status


class _NoConnection(httputil.HTTPConnection):
    """The part of a connection that a handler's constructor uses."""

    def set_close_callback(self, callback: Any) -> None:
        """Ignore `callback`, because there is no client that could disconnect."""
