"""What is answered in MLflow's place: the page for HTML artifacts, and what does not work here."""

import os
from collections.abc import Sequence
from http import HTTPStatus

from starlette.responses import HTMLResponse
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.addresses import ARTIFACT_FRAME
from mlflow_proxy.headers import FRAME_OPTIONS

from .middleware.bodies import error_response
from .middleware.pages import read

FRAME_HEADERS = {
    # Scripts run, from any host, but without an origin, wherever this page is opened.
    "Content-Security-Policy": "sandbox allow-scripts",
    FRAME_OPTIONS[0]: FRAME_OPTIONS[1],
    "Cache-Control": "no-store",
}
OWN_STORE = "MLFLOW_S3_ENDPOINT_URL"
PRESIGNED = (
    "/ajax-api/{version}/mlflow/artifacts/presigned-download-url",
    "/ajax-api/{version}/mlflow-artifacts/presigned/{path:path}",
)
NOT_PRESIGNED = "Artifacts are downloaded through Jupyter."
# They submit a job, or switch on a judge of new traces.
SUBMITTING = (
    "/ajax-api/3.0/jobs",
    "/ajax-api/3.0/jobs/",
    "/ajax-api/3.0/mlflow/genai/evaluate/invoke",
    "/ajax-api/3.0/mlflow/issues/invoke",
    "/ajax-api/3.0/mlflow/scorer/invoke",
    "/ajax-api/3.0/mlflow/prompt-optimization/jobs",
    "/ajax-api/3.0/mlflow/scorers/online-config",
    "/api/3.0/mlflow/prompt-optimization/jobs",
    "/api/3.0/mlflow/scorers/online-config",
)


class Routes:
    """Answers a request that one of `routes` matches, and passes any other one on.

    Starlette's `Router` would keep the lifespan from MLflow, and refuse a method that MLflow's
    route of the same path has.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                await route.handle(scope, receive, send)
                return
        await self._app(scope, receive, send)


def artifact_frame() -> Route:
    """The page in which the dashboard shows an HTML artifact; see dashboard/artifact_frame.js."""
    page = HTMLResponse(read("artifact_frame.html"), headers=FRAME_HEADERS)
    return Route(ARTIFACT_FRAME, page)


def no_presigned_downloads() -> list[Route]:
    """Have the dashboard download through Jupyter where a browser may not reach the store.

    MLflow >=3.17: the dashboard's button sends the browser to a presigned address of the artifact
    store. That of a store of one's own is often a name within a cluster. The dashboard falls back
    to MLflow for a store that has no such addresses. Other clients use other paths.
    """
    if not os.environ.get(OWN_STORE):
        return []
    refuse = error_response(HTTPStatus.NOT_IMPLEMENTED, "NOT_IMPLEMENTED", NOT_PRESIGNED)
    return [Route(path, refuse, methods=["GET", "POST"]) for path in PRESIGNED]


def no_jobs(why: str) -> list[Route]:
    """Refuse what submits a job; `why`, a sentence, is empty where jobs run.

    MLflow refuses a job itself, but only after it has begun a run for it.
    """
    refuse = error_response(HTTPStatus.BAD_REQUEST, "FEATURE_DISABLED", why)
    return [Route(path, refuse, methods=["POST", "PUT"]) for path in SUBMITTING] if why else []
