"""Keeps artifacts from running: whatever ran at an artifact's address would run as Jupyter's page.

MLflow sends artifacts as attachments. This holds where a browser shows one all the same.
"""

from __future__ import annotations

import re

from .types import ASGIApp, Message, Receive, Scope, Send

ARTIFACT_PATH = re.compile(
    r"/get-artifact|/model-versions/get-artifact"
    r"|/(?:ajax-)?api/\d\.0/mlflow-artifacts/artifacts/.*"
    r"|/(?:ajax-)?api/\d\.0/mlflow/logged-models/[^/]+/artifacts/files"
    r"|/(?:ajax-)?api/\d\.0/mlflow/get-trace-artifact",
    re.DOTALL,
)
POLICY = (
    b"sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; "
    b"style-src 'unsafe-inline'"
)


class ArtifactSandbox:
    """Adds a policy to answers that are artifacts: no script, no origin, nothing from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the policy to its answer where it is an artifact."""
        if scope["type"] != "http" or not ARTIFACT_PATH.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def send_in_sandbox(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    *message.get("headers", ()),
                    (b"content-security-policy", POLICY),
                ]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_in_sandbox)
