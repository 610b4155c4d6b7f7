"""Keeps artifacts from running, because script at an artifact's address would run as Jupyter.

MLflow sends artifacts as attachments. The policy applies where a browser displays one all the same.
"""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ARTIFACT_PATH = re.compile(
    r"/get-artifact|/model-versions/get-artifact"
    r"|/(?:ajax-)?api/\d\.0/mlflow-artifacts/artifacts/.*"
    r"|/(?:ajax-)?api/\d\.0/mlflow/logged-models/[^/]+/artifacts/files"
    r"|/(?:ajax-)?api/\d\.0/mlflow/get-trace-artifact",
    re.DOTALL,
)
POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"
)


class ArtifactSandbox:
    """Adds a policy to artifacts: no script, no origin, nothing from other hosts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the policy if the response is an artifact."""
        if scope["type"] != "http" or not ARTIFACT_PATH.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def send_in_sandbox(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(scope=message).append("Content-Security-Policy", POLICY)
            await send(message)

        await self._app(scope, receive, send_in_sandbox)
