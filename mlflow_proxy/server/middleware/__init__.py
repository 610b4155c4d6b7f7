"""What stands between the socket and MLflow: one small ASGI middleware a file."""

from __future__ import annotations

from pathlib import Path

from .artifact_uris import with_artifact_uris
from .headers import JupyterHeaders
from .origin import OwnOrigin
from .pages import Pages
from .sandbox import ArtifactSandbox
from .static_files import CompressedStaticFiles
from .status import ReadyStatus
from .types import ASGIApp


def wrap(app: ASGIApp, static_folder: Path, artifact_root: str, hold_after: float = 0.0) -> ASGIApp:
    """Put them around MLflow's `app`; the first to see a request is named last.

    `hold_after` are seconds without input, see `Pages`; 0: never.
    """
    app = with_artifact_uris(app, artifact_root)
    app = ArtifactSandbox(app)
    if static_folder.is_dir():  # not in an MLflow that was installed from its source
        app = CompressedStaticFiles(app, static_folder)
    app = Pages(app, hold_after)
    app = JupyterHeaders(app)
    app = OwnOrigin(app)
    return ReadyStatus(app)
