"""Endpoints for our own pages: MLflow's state and log, and to start, stop, restart or repair it.

They are open to the users of the dashboard, and are not at the kernels' address. A question is no
use of MLflow and does not start it.
"""

import asyncio
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado import web
from tornado.web import url

from mlflow_proxy.activity import record_activity
from mlflow_proxy.addresses import (
    CONTROL,
    CONTROL_DECLINE,
    CONTROL_LOG,
    CONTROL_REPAIR,
    CONTROL_RESTART,
    CONTROL_START,
    CONTROL_STOP,
    NAME,
    STATUS,
)
from mlflow_proxy.config import MLflowProxy
from mlflow_proxy.life import Life
from mlflow_proxy.log import end_of_log, log_file
from mlflow_proxy.passwords import mask_uri
from mlflow_proxy.quoting import escaped
from mlflow_proxy.stores import without_links

from .access import AccessChecks, how_to_log_in
from .forwarding import may_frame_itself
from .status_document import status_document

MAX_LOG = 256 << 10  # bytes


def routes(path: str, config: MLflowProxy, life: Life) -> Iterator[url]:
    """The routes below `path`, a regular expression for the dashboard's address."""
    arguments = {"config": config, "life": life}
    for name in (CONTROL, STATUS):
        yield url(path + re.escape(name), StateHandler, arguments)
    yield url(path + re.escape(CONTROL_LOG), LogHandler, arguments)
    for action in (CONTROL_START, CONTROL_STOP, CONTROL_RESTART):
        name = action.rpartition("/")[2]
        yield url(path + re.escape(action), ActionHandler, {**arguments, "action": name})
    for action in (CONTROL_REPAIR, CONTROL_DECLINE):
        name = action.rpartition("/")[2]
        yield url(f"{path}{re.escape(action)}/(\\w+)", ActionHandler, {**arguments, "action": name})


class ControlHandler(AccessChecks, APIHandler):
    """A request that Jupyter lets in as one for the dashboard."""

    name = NAME
    action_required = "execute"
    _track_activity = False

    def initialize(self, config: MLflowProxy, life: Life, action: str = "") -> None:
        """Get what the route was made with."""
        self._settings = config
        self._life = life
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
        await self.check_may(self.action_required)

    async def document(self) -> dict[str, Any]:
        """What MLflow does, in which store, with which settings."""
        may_frame = may_frame_itself(self.settings.get("headers", {}))
        may_see_log = await self.may("execute")
        return {
            **status_document(self._life, may_frame=may_frame, may_see_log=may_see_log),
            "store": _shown(self._settings.backend_store_uri),
            "settings": shown_settings(self._settings),
            "sources": dict(self._settings.sources),
        }


class StateHandler(ControlHandler):
    """What MLflow does."""

    action_required = "read"

    async def get(self) -> None:
        """Answer with JSON."""
        self.finish(await self.document())


class ActionHandler(ControlHandler):
    """Starts, stops, restarts or repairs MLflow, by the route."""

    async def post(self, repair: str = "") -> None:
        """Act, then answer with JSON; it may take time until MLflow has stopped or started.

        Raises:
            tornado.web.HTTPError: a form sent this, as pages of other sites can; or `repair` is not
                offered now.
        """
        media_type = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise web.HTTPError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "POST application/json")
        is_done = getattr(self._life, self._action)(*((repair,) if repair else ()))
        if is_done is False:
            raise web.HTTPError(HTTPStatus.CONFLICT, "This is not offered now")
        if self._action != "stop":
            record_activity(self.settings)
        self.set_status(HTTPStatus.ACCEPTED)
        self.finish(await self.document())


class LogHandler(ControlHandler):
    """The end of the log of MLflow."""

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
    if isinstance(value, float):
        return f"{value:g}"
    return escaped(mask_uri(without_links(str(value))))
