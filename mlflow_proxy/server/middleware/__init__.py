"""What stands between the socket and MLflow: one small ASGI middleware a file."""

from __future__ import annotations

from .headers import JupyterHeaders
from .origin import OwnOrigin
from .sandbox import ArtifactSandbox
from .status import ReadyStatus
from .types import ASGIApp


def wrap(app: ASGIApp) -> ASGIApp:
    """Put all of them around MLflow's `app`; the first to see a request is named last."""
    app = ArtifactSandbox(app)
    app = JupyterHeaders(app)
    app = OwnOrigin(app)
    return ReadyStatus(app)
