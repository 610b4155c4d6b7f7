"""Endpoints for our own pages: MLflow's state and log, and to start, stop, restart or upgrade it.

They are open to the users of the dashboard, and are not at the kernels' address. A question is no
use of MLflow and does not start it.
"""

import asyncio
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web
from tornado.web import url

from mlflow_proxy.addresses import CONTROL, CONTROL_LOG, CONTROL_UPGRADE, STATUS
from mlflow_proxy.config import MLflowProxy
from mlflow_proxy.life import Life
from mlflow_proxy.log import end_of_log
from mlflow_proxy.printable import escaped, mask_uri
from mlflow_proxy.stores import without_links

from .access import AccessChecks, how_to_log_in

MAX_LOG = 256 << 10  # bytes


def routes(path: str, config: MLflowProxy, life: Life) -> Iterator[url]:
    """The routes below `path`, a regular expression for the dashboard's address."""
    configured = {
        "store": _shown(config.backend_store_uri),
        "settings": shown_settings(config),
        "sources": dict(config.sources),
    }
    arguments = {"life": life, "configured": configured}
    yield url(f"{path}(?:{CONTROL}|{STATUS})", StateHandler, arguments)
    yield url(path + CONTROL_LOG, LogHandler, arguments)
    yield url(f"{path}{CONTROL}/(start|stop|restart)", ActionHandler, arguments)
    yield url(path + CONTROL_UPGRADE, ActionHandler, arguments)


class ControlHandler(AccessChecks, APIHandler):
    """A request that Jupyter lets in as one for the dashboard."""

    action_required = "execute"
    _track_activity = False

    def initialize(self, life: Life, configured: Mapping[str, Any]) -> None:
        self._life = life
        self._configured = configured

    async def prepare(self, **_: Any) -> None:
        """Check who asks; raises a `tornado.web.HTTPError` if the request is refused."""
        self.set_header("Cache-Control", "no-store")
        if self.is_from_foreign_page():
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "Cross-origin request blocked")
        await JupyterHandler.prepare(self)  # APIHandler's compares the origin in another way
        if not self.current_user:
            raise web.HTTPError(HTTPStatus.FORBIDDEN, how_to_log_in())
        await self.check_may(self.action_required)

    async def document(self) -> dict[str, Any]:
        document = self._life.status.document(may_see_log=await self.may("execute"))
        return {**document, **self._configured}


class StateHandler(ControlHandler):
    action_required = "read"

    async def get(self) -> None:
        self.finish(await self.document())


class ActionHandler(ControlHandler):
    """Starts, stops or restarts MLflow, or upgrades its database, by the route."""

    async def post(self, action: str = "upgrade") -> None:
        """Act, then answer with JSON; it may take time until MLflow has stopped or started.

        Raises:
            tornado.web.HTTPError: a form sent this, as pages of other sites can; or the
                upgrade is not offered now.
        """
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise web.HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "POST application/json")
        is_done = getattr(self._life, action)()
        if is_done is False:
            raise web.HTTPError(HTTPStatus.CONFLICT, "This is not offered now")
        if action != "stop":
            self._life.record_activity()
        self.set_status(HTTPStatus.ACCEPTED)
        self.finish(await self.document())


class LogHandler(ControlHandler):
    async def get(self) -> None:
        text = await asyncio.to_thread(end_of_log, self._life.status.log_file, MAX_LOG)
        self.finish(text, set_content_type="text/plain; charset=utf-8")


def shown_settings(config: MLflowProxy) -> dict[str, str]:
    """Every setting as text, without passwords; of `environment` the names."""
    return {name: _shown(getattr(config, name)) for name in sorted(config.traits(config=True))}


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(sorted(value))
    if isinstance(value, float):
        return f"{value:g}"
    return escaped(mask_uri(without_links(str(value))))
