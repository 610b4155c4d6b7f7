"""Has the dashboard download artifacts through Jupyter where the browser may not reach the store.

Since MLflow 3.17 the dashboard's button sends the browser to a presigned address of the artifact
store. That of a store of one's own (`MLFLOW_S3_ENDPOINT_URL`) is often a name within a cluster. The
dashboard falls back to MLflow for a store that has no such addresses. Other clients ask elsewhere.
"""

import os
import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .body import discard_body

OWN_STORE = "MLFLOW_S3_ENDPOINT_URL"
PATH = re.compile(
    r"/ajax-api/\d\.0/(?:mlflow/artifacts/presigned-download-url|mlflow-artifacts/presigned/.*)",
    re.DOTALL,
)
ANSWER = {"error_code": "NOT_IMPLEMENTED", "message": "Artifacts are downloaded through Jupyter."}


class PresignedDownloads:
    """Answers the dashboard that the store has no presigned addresses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        is_asked = scope["type"] == "http" and PATH.fullmatch(scope["path"])
        if is_asked and os.environ.get(OWN_STORE):
            await discard_body(receive)
            await JSONResponse(ANSWER, status_code=501)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
