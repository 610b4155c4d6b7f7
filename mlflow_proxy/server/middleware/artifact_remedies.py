"""Adds remedies to what MLflow answers when its artifact store refuses a request."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.server.artifact_failures import with_remedy

from .artifact_uris import is_api_response
from .rewriting import rewriting

PATH = re.compile(r".*artifact.*|/(?:ajax-)?api/\d\.0/mlflow/traces/.*", re.DOTALL)


class ArtifactRemedies:
    """Rewrites the JSON of errors below the paths of artifacts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and PATH.fullmatch(scope["path"]):
            send = rewriting(send, is_api_response, with_remedy)
        await self._app(scope, receive, send)
