"""Endpoints for Jupyter's own pages: MLflow's state and log, and to start, stop or restart it.

They are open to the users of the dashboard, and are not at the kernels' address. A question is no
use of MLflow, and starts neither it nor the supervisor.
"""

import asyncio
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web
from tornado.web import url

from mlflow_proxy.shared.addresses import (
    CONTROL,
    CONTROL_LOG,
    CONTROL_RESTART,
    CONTROL_START,
    CONTROL_STOP,
    NAME,
)
from mlflow_proxy.shared.passwords import mask_uri
from mlflow_proxy.shared.private_files import is_private_folder

from . import last_activity
from .access import AccessChecks, how_to_log_in
from .config import MLflowProxy
from .entry_point import log_file
from .log_end import end_of_log
from .supervisor_process import SupervisorProcess

MAX_LOG = 256 << 10  # bytes
# What the supervisor would answer that was never started.
STOPPED = {
    "state": "stopped",
    "since": None,
    "progress": None,
    "text": "MLflow was not started",
    "remedy": "",
    "version": None,
    "memory": None,
    "pid": None,
}


def routes(path: str, config: MLflowProxy, process: SupervisorProcess) -> Iterator[url]:
    """The routes below `path`, a regular expression for the dashboard's address."""
    arguments = {"config": config, "process": process}
    yield url(path + re.escape(CONTROL), StateHandler, arguments)
    yield url(path + re.escape(CONTROL_LOG), LogHandler, arguments)
    for action in (CONTROL_START, CONTROL_STOP, CONTROL_RESTART):
        yield url(path + re.escape(action), ActionHandler, {**arguments, "action": action})


class ControlHandler(AccessChecks, APIHandler):
    """A request that Jupyter lets in as one for the dashboard."""

    name = NAME
    _track_activity = False

    def initialize(self, config: MLflowProxy, process: SupervisorProcess, action: str = "") -> None:
        """Get what the route was made with."""
        self._settings = config
        self._process = process
        self._action = action

    async def prepare(self, **_: Any) -> None:
        """Check who asks.

        Raises:
            tornado.web.HTTPError: the request is refused.
        """
        self.set_header("Cache-Control", "no-store")
        if self.is_from_foreign_page():
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "Cross-origin request blocked")
        await JupyterHandler.prepare(self)  # APIHandler's compares the origin in another way
        if not self.current_user:
            raise web.HTTPError(HTTPStatus.FORBIDDEN, how_to_log_in())

    async def ask(self, method: str, path: str) -> dict[str, Any] | None:
        """Send the supervisor a request; returns its answer, None if it does not run.

        Raises:
            tornado.web.HTTPError: it does not answer, or another user could replace its socket.
        """
        if not is_private_folder(Path(self._process.control_socket).parent):
            raise web.HTTPError(HTTPStatus.BAD_GATEWAY, "The supervisor's socket is not private")
        try:
            return await self._process.ask(method, path)
        except aiohttp.ClientConnectionError:  # there is no socket, or the supervisor ends
            return None
        except asyncio.TimeoutError:
            message = "The supervisor of MLflow does not answer"
            raise web.HTTPError(HTTPStatus.GATEWAY_TIMEOUT, message) from None

    def describe(self, status: dict[str, Any] | None) -> dict[str, Any]:
        """Add to the supervisor's `status` what this process knows."""
        return {
            **(status or STOPPED),
            "store": mask_uri(self._settings.backend_store_uri),
            "log": str(log_file()),
            "settings": shown_settings(self._settings),
        }


class StateHandler(ControlHandler):
    """What MLflow does."""

    async def get(self) -> None:
        """Answer with JSON."""
        self.finish(self.describe(await self.ask("GET", CONTROL)))


class ActionHandler(ControlHandler):
    """Starts, stops or restarts MLflow, by the route."""

    async def post(self) -> None:
        """Act, then answer with JSON; it may take time until MLflow has stopped or started.

        Raises:
            tornado.web.HTTPError: a form sent this, as pages of other sites can; or see `ask`.
        """
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise web.HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "POST application/json")
        is_start = self._action != CONTROL_STOP
        status = await self.ask("POST", self._action)
        if status is None and is_start:
            await self._process.ensure()
            status = await self.ask("POST", CONTROL_START)
        if is_start:
            last_activity.record(self.settings)
        self.set_status(HTTPStatus.ACCEPTED)
        self.finish(self.describe(status))


class LogHandler(ControlHandler):
    """The end of the log of MLflow and the supervisor."""

    async def get(self) -> None:
        """Answer with text; empty if nothing was logged."""
        text = await asyncio.to_thread(end_of_log, log_file(), MAX_LOG)
        self.finish(text, set_content_type="text/plain; charset=utf-8")


def shown_settings(config: MLflowProxy) -> dict[str, str]:
    """Every setting as text, without passwords; of `environment` the names."""
    return {name: _shown(getattr(config, name)) for name in sorted(config.traits(config=True))}


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(sorted(value))
    return f"{value:g}" if isinstance(value, float) else mask_uri(str(value))
