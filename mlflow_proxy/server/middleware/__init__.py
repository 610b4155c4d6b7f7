"""What a request passes between the socket and the application: an ASGI middleware a file."""

from dataclasses import dataclass
from typing import Any

from starlette.middleware import Middleware

from mlflow_proxy.server.local_address import LocalAddress
from mlflow_proxy.server.mode import CurrentMode
from mlflow_proxy.server.serve import Retirement
from mlflow_proxy.server.store.opened_files import OpenedFiles

from .artifact_frame import ArtifactFrame
from .artifact_remedies import ArtifactRemedies
from .artifact_uris import ArtifactUris, local_folder
from .jupyter_credentials import JupyterCredentials
from .no_jobs import NoJobs
from .origin import OwnOrigin
from .page_policy import PagePolicy
from .pages import Pages
from .presigned_downloads import PresignedDownloads
from .programs import Programs
from .replaced_store import ReplacedStore
from .sandbox import Sandbox
from .self_calls import SelfCalls


@dataclass(frozen=True)
class Application:
    """An ASGI application, and what the middlewares need to know of it."""

    app: Any
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
    idle_timeout: float,
    retirement: Retirement,
) -> Any:
    """Put the middlewares around `application`; returns an ASGI application."""
    app = application.app
    for cls, args, kwargs in reversed(middlewares(application, idle_timeout, retirement)):
        app = cls(app, *args, **kwargs)
    return app


def middlewares(
    application: Application,
    idle_timeout: float,
    retirement: Retirement,
) -> list[Middleware]:
    """The middlewares, in the order in which a request meets them."""
    result = []
    if files := application.opened_files:
        result.append(Middleware(ReplacedStore, files=files, retirement=retirement))
    result += [
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
    if address := application.local_address:
        result += [
            Middleware(Programs, authority=address.authority),
            Middleware(SelfCalls, address=address),
        ]
    if application.why_no_jobs:
        result.append(Middleware(NoJobs, why=application.why_no_jobs))
    if application.static_files:
        result.append(application.static_files)
    result.append(Middleware(Sandbox))
    if application.has_artifact_store:
        result += [Middleware(PresignedDownloads), Middleware(ArtifactRemedies)]
    if folder := local_folder(application.artifact_root):
        keeps_folders = application.keeps_folders
        result.append(Middleware(ArtifactUris, folder=folder, keeps_folders=keeps_folders))
    return result
