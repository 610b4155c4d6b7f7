"""Keeps stored content from running, because script at our address would run as Jupyter.

MLflow sends artifacts as attachments. The policy applies where a browser displays one all the same.
Every response has it but the dashboard's page: MLflow finds an artifact under more spellings of its
path than a list could name.
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
PAGE = "/"
POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"
)


class Sandbox:
    """Adds a policy to every response but the page: no script, no origin, no other hosts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the policy to its response."""
        if scope["type"] != "http" or scope["path"] == PAGE:
            await self._app(scope, receive, send)
            return

        async def send_in_sandbox(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                headers.append("Content-Security-Policy", POLICY)
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_in_sandbox)
