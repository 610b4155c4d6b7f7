"""Adds remedies to what MLflow answers when its artifact store refuses a request."""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.server.artifact_failures import with_remedy

from .artifact_uris import is_api_response
from .rewriting import rewriting


class ArtifactRemedies:
    """Rewrites the JSON of errors below the paths of artifacts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; complete the message of its response if that is an error."""
        if scope["type"] != "http" or "artifact" not in scope["path"]:
            await self._app(scope, receive, send)
            return
        chosen = send

        async def send_either(message: Message) -> None:
            nonlocal chosen
            # Not the others: they may be as large as an artifact, and are not kept in memory.
            is_start = message["type"] == "http.response.start"
            if is_start and message["status"] >= HTTPStatus.BAD_REQUEST:
                chosen = rewriting(send, is_api_response, with_remedy)
            await chosen(message)

        await self._app(scope, receive, send_either)
