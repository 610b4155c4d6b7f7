"""The `/mlflow/` route: jupyter-server-proxy's own, with a transport that streams both ways.

Login, activity tracking and WebSockets are jupyter-server-proxy's. `Life` runs the process in its
place, in the same state.
"""

from http import HTTPStatus
from typing import Any

from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.handlers import SuperviseAndProxyHandler
from tornado import web

from mlflow_proxy.addresses import ASSISTANT, CURRENT_USER, MAY_EXECUTE, NAME

from .access import AccessChecks, how_to_log_in, required_action
from .transport import StreamingTransport


def mlflow_handler(process: dict[str, Any]) -> tuple[type["StreamingHandler"], dict[str, Any]]:
    """The route's handler, on top of jupyter-server-proxy's for `process`, and its arguments.

    The caller sets its `life`.
    """
    handler, arguments = ServerProcess(name=NAME, **process).make_proxy_handler()
    return type("MLflowHandler", (StreamingHandler, handler), {}), arguments


class StreamingHandler(AccessChecks, StreamingTransport, SuperviseAndProxyHandler):  # type: ignore[misc]
    """A request of a browser or of an API client that Jupyter has let in."""

    async def admit(self, *args: Any, **kwargs: Any) -> None:
        """Check who asks.

        Raises:
            tornado.web.HTTPError: the request is refused.
        """
        if self.is_from_foreign_page():
            # MLflow's words.
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "Cross-origin request blocked")
        try:
            await SuperviseAndProxyHandler.prepare(self, *args, **kwargs)
        except web.HTTPError as error:
            if self.current_user or error.log_message:
                raise
            # tornado refuses a POST without a word.
            raise web.HTTPError(error.status_code, how_to_log_in()) from error
        if self._finished:  # redirected to the login page
            return
        request = self.mlflows_request
        if request.wants_page:
            self.xsrf_token  # noqa: B018 (it sets the cookie whose value the page sends back)
        await self.check_may(required_action(request.method, request.path))
        self.request.headers.pop(MAY_EXECUTE, None)
        if ASSISTANT in self.request.path and await self.may("execute", "kernels"):
            self.request.headers[MAY_EXECUTE] = "true"

    async def ensure_process(self) -> None:
        """Nothing: MLflow is started by what a request needs."""

    async def proxy(self, port: int, path: str) -> None:
        await self.complete()

    async def may_see_log(self) -> bool:
        return await self.may("execute")

    def _log(self) -> None:
        """Log the request as Jupyter does, but at DEBUG where the answer is no error.

        A 503 during a start, for which Jupyter would log seven lines, nine times a page. And a 404
        for the user's account: each page asks for it, and an MLflow without accounts has none.
        """
        status, path = self.get_status(), self.mlflows_request.path
        has_no_account = status == HTTPStatus.NOT_FOUND and path == CURRENT_USER
        if status == HTTPStatus.SERVICE_UNAVAILABLE or has_no_account:
            self.log.debug("%d %s %s", status, self.request.method, path)
        else:
            super()._log()
