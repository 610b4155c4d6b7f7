"""Tells the loading page that MLflow is ready."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.shared.addresses import STATUS


class ReadyStatus:
    """Answers the status request, which the supervisor answers until MLflow is ready."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        app: ASGIApp = self._app
        if scope["type"] == "http" and scope["path"] == STATUS:
            app = JSONResponse({"state": "ready"}, headers={"Cache-Control": "no-store"})
        await app(scope, receive, send)
