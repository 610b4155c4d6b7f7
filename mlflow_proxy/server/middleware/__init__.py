"""What a request passes between the socket and the application: an ASGI middleware a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from mlflow_proxy.server.handover import Handover
from mlflow_proxy.server.local_address import LocalAddress
from mlflow_proxy.server.mode import CurrentMode
from mlflow_proxy.server.store.opened_files import OpenedFiles

from .artifact_frame import ArtifactFrame
from .artifact_remedies import ArtifactRemedies
from .artifact_uris import ArtifactUris, local_folder
from .compressed_static_files import CompressedStaticFiles
from .jupyter_credentials import JupyterCredentials
from .no_jobs import NoJobs
from .origin import OwnOrigin
from .page_policy import PagePolicy
from .pages import Pages
from .presigned_downloads import PresignedDownloads
from .replaced_store import ReplacedStore
from .sandbox import Sandbox
from .self_calls import SelfCalls
from .status import ReadyStatus
from .use_tracker import LastUse, UseTracker


@dataclass(frozen=True)
class Application:
    """An ASGI application, and what the middlewares need to know of it."""

    app: Any
    static_folder: Path | None = None
    """Folder of its static files, if it has any here."""
    artifact_root: str = ""
    """URI or folder of its artifacts, if clients elsewhere cannot use that."""
    has_artifact_store: bool = False
    """Whether it uses an artifact store itself, whose failures are explained."""
    keeps_folders: bool = True
    """Whether experiments name that folder, so that a client's URI must become one."""
    opened_files: OpenedFiles | None = None
    """Files that it keeps open, and that the user may replace."""
    why_no_jobs: str = ""
    """Why its background jobs do not run here; empty if they do, or if that is its own matter."""
    local_address: LocalAddress | None = None
    """Where it reaches itself by HTTP, if anywhere."""
    static_files: Middleware | None = None
    """What answers its static files, if they are elsewhere."""
    mode: CurrentMode | None = None
    """In which mode its dashboard starts; None: in MLflow's default."""


def wrap(
    application: Application,
    last_use: LastUse,
    idle_timeout: float,
    handover: Handover | None = None,
) -> Any:
    """Put the middlewares around `application`; returns an ASGI application."""
    app = application.app
    for cls, args, kwargs in reversed(middlewares(application, last_use, idle_timeout, handover)):
        app = cls(app, *args, **kwargs)
    return app


def middlewares(
    application: Application,
    last_use: LastUse,
    idle_timeout: float,
    handover: Handover | None = None,
) -> list[Middleware]:
    """The middlewares, in the order in which a request meets them."""
    result = [Middleware(UseTracker, last_use=last_use)]
    if handover and (files := application.opened_files):
        # Before the status: the loading page must not be told that this process is ready.
        result.append(Middleware(ReplacedStore, files=files, handover=handover))
    result += [
        Middleware(ReadyStatus),
        Middleware(OwnOrigin),
        Middleware(JupyterCredentials),
        Middleware(PagePolicy),
        Middleware(ArtifactFrame),
        Middleware(
            Pages,
            idle_timeout=idle_timeout,
            mode=application.mode,
            has_local_address=application.local_address is not None,
        ),
    ]
    if application.local_address:
        result.append(Middleware(SelfCalls, address=application.local_address))
    if application.why_no_jobs:
        result.append(Middleware(NoJobs, why=application.why_no_jobs))
    if application.static_folder:
        result.append(Middleware(CompressedStaticFiles, folder=application.static_folder))
    if application.static_files:
        result.append(application.static_files)
    result.append(Middleware(Sandbox))
    if application.has_artifact_store:
        result += [Middleware(PresignedDownloads), Middleware(ArtifactRemedies)]
    if folder := local_folder(application.artifact_root):
        keeps_folders = application.keeps_folders
        result.append(Middleware(ArtifactUris, folder=folder, keeps_folders=keeps_folders))
    return result
