"""What stands between the socket and MLflow: one small ASGI middleware a file."""

from __future__ import annotations

from pathlib import Path

from .headers import JupyterHeaders
from .origin import OwnOrigin
from .pages import Pages
from .sandbox import ArtifactSandbox
from .static_files import CompressedStaticFiles
from .status import ReadyStatus
from .types import ASGIApp


def wrap(app: ASGIApp, static_folder: Path, hold_after: float = 0.0) -> ASGIApp:
    """Put them around MLflow's `app`; the first to see a request is named last.

    Only `artifact_uris`, which needs the settings, is put on before: see `cli`.
    """
    app = ArtifactSandbox(app)
    if static_folder.is_dir():  # not in an MLflow that was installed from its source
        app = CompressedStaticFiles(app, static_folder)
    app = Pages(app, hold_after)
    app = JupyterHeaders(app)
    app = OwnOrigin(app)
    return ReadyStatus(app)
