"""The page in which the dashboard shows an HTML artifact; see dashboard/artifact_frame.js."""

from pathlib import Path

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.addresses import ARTIFACT_FRAME
from mlflow_proxy.headers import FRAME_OPTIONS

FILE = Path(__file__).parents[1] / "dashboard" / "artifact_frame.html"
HEADERS = {
    # Scripts run, from any host, but without an origin, wherever this page is opened.
    "Content-Security-Policy": "sandbox allow-scripts",
    FRAME_OPTIONS[0]: FRAME_OPTIONS[1],
    "Cache-Control": "no-store",
}


class ArtifactFrame:
    """Answers `ARTIFACT_FRAME`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._page = HTMLResponse(FILE.read_text(encoding="utf-8"), headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        is_ours = scope["type"] == "http" and scope["path"] == ARTIFACT_FRAME
        await (self._page if is_ours else self._app)(scope, receive, send)
