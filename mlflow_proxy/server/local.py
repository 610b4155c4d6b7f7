"""MLflow in this process: the stages of its start, each reported to Jupyter."""

import argparse
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mlflow_proxy import reports
from mlflow_proxy.addresses import JOBS_FOLDER, PROVIDER_FOLDER
from mlflow_proxy.printable import quoted
from mlflow_proxy.reports import Stage, StageEntered, Step
from mlflow_proxy.sqlite_files import identities
from mlflow_proxy.stores import Database

from . import mlflow_app
from .reporter import Reporter
from .store import locations, locks, upgrade
from .store.settings import StoreSettings
from .store.upgrade import Revisions

if TYPE_CHECKING:  # Starlette comes with MLflow, which may be missing
    from starlette.middleware import Middleware

    from .middleware.self_calls import OwnAddress

BACKGROUND_NICENESS = 10
# Seconds before each further attempt to create a database on a server, because a kernel, which
# knows no lock, may be creating it.
PAUSES = (1.0, 3.0)

_logger = logging.getLogger(__name__)


def run(reporter: Reporter, settings: StoreSettings, options: argparse.Namespace) -> None:
    """Start MLflow and serve it, with the `options` of the command line.

    Raises:
        StartError: it cannot start, for a known reason.
    """
    mlflow_folder = mlflow_app.find_mlflow()
    static_folder = mlflow_folder / "server" / "js" / "build"
    # An MLflow that was installed from its source has no such folder.
    files = str(static_folder) if static_folder.is_dir() else ""
    reporter.send(reports.Found(metadata.version("mlflow"), files))
    revisions = Revisions.read(mlflow_folder)
    # Saves half a second: what an import creates is not garbage, so there is nothing to collect.
    gc.disable()
    settings.check()
    existing = upgrade.check(settings, revisions)
    locations.update_moved(settings, existing)

    reporter.send(StageEntered(Stage.IMPORT))
    with reporter.counting_modules():
        from . import jobs, serve
        from .middleware import self_calls

        mlflow_app.configure(settings)
        if address := self_calls.OwnAddress.from_environment():
            folder = options.unix_socket.with_name(PROVIDER_FOLDER)
            address.export(settings.default_artifact_root, folder)
        app = at_low_priority(mlflow_app.load) if options.background else mlflow_app.load()
        why_no_jobs = jobs.mlflow_jobs.why_not(settings, options.job_execution)

    def enter(step: Step | None = None) -> None:
        reporter.send(StageEntered(Stage.STORE, step))

    enter()
    # From here on there is garbage, of migrations: a new store would otherwise take 13 MB more.
    gc.freeze()
    gc.enable()
    paths = [store.path for store in settings.files]
    before = identities(paths)
    open_stores(settings, revisions, existing, enter)
    reporter.send(reports.FilesOpened({**identities(paths), **before}))
    gc.collect()

    reporter.send(StageEntered(Stage.SERVE))
    if address is not None:
        self_calls.authorize_assistant(address)
    app = serve.stack(app, middlewares(settings, options.idle_timeout, address, why_no_jobs))
    server = serve.Server(app, options.unix_socket, reporter.send)
    if not why_no_jobs:
        folder = options.unix_socket.with_name(JOBS_FOLDER)
        server.end_jobs = jobs.start(settings.backend_store, folder, reporter.send)
    server.listen_and_run()


def check(settings: StoreSettings) -> None:
    """Print the versions of MLflow and of the stores, without loading MLflow.

    Raises:
        StartError: it cannot start, for a known reason.
    """
    revisions = Revisions.read(mlflow_app.find_mlflow())
    release = metadata.version("mlflow")
    print(f"MLflow {release} of {sys.executable} has the revision {revisions.latest}")
    print(reports.Found(release).notice or "It is tested with this release of jupyter-mlflow-proxy")
    settings.check()
    for store, revision in upgrade.existing(settings, revisions, is_alone=False):
        print(f"{quoted(store.shown)} has the revision {quoted(revision)}")
    upgrade.check(settings, revisions)


def middlewares(
    settings: StoreSettings, idle_timeout: float, address: "OwnAddress | None", why_no_jobs: str
) -> list["Middleware"]:
    """What a request passes on its way to MLflow in this process."""
    from starlette.middleware import Middleware

    from .middleware import artifact_failures, artifact_uris, programs, self_calls
    from .middleware.pages import Pages
    from .middleware.security import Security
    from .routes import Routes, artifact_frame, no_jobs, no_presigned_downloads

    answered = [artifact_frame(), *no_presigned_downloads(), *no_jobs(why_no_jobs)]
    served = settings.served_artifacts
    keeps_folders = served == settings.default_artifact_root
    return [
        Middleware(Security),
        Middleware(Pages, idle_timeout=idle_timeout, has_local_address=address is not None),
        *([Middleware(programs.Programs, authority=address.authority)] if address else []),
        *([Middleware(self_calls.SelfCalls, address=address)] if address else []),
        Middleware(Routes, routes=answered),
        Middleware(artifact_failures.ArtifactRemedies),
        Middleware(artifact_uris.ArtifactUris, root=served, keeps_folders=keeps_folders),
    ]


def open_stores(
    settings: StoreSettings,
    revisions: Revisions,
    existing: Sequence[Database],
    report: Callable[[Step], None],
) -> None:
    """Open the stores; new ones on a database server while no other program creates them.

    Raises:
        StartError: another program has upgraded one of them in vain.
        mlflow.exceptions.MlflowException: MLflow cannot use a store.
    """
    new = [store for store in settings.servers if store not in existing]
    if not new:
        mlflow_app.open_stores(settings, report)
        return
    report(Step.WAIT)
    with locks.alone(new):
        upgrade.check(settings, revisions, is_alone=True)
        report(Step.CREATE)
        for pause in PAUSES:
            try:
                mlflow_app.open_stores(settings, report)
                return
            except Exception as error:  # each driver has its own exceptions
                _logger.warning("%s: %s", type(error).__name__, error)
                time.sleep(pause)
        mlflow_app.open_stores(settings, report)


def upgrade_store(reporter: Reporter, settings: StoreSettings) -> None:
    """Upgrade the database, as the user has agreed to.

    Raises:
        StartError: it has failed.
    """
    reporter.send(StageEntered(Stage.PREPARE, Step.UPGRADE))
    revisions = Revisions.read(mlflow_app.find_mlflow())
    upgrade.run(settings, revisions, mlflow_app.upgrade_database)
    reporter.send(reports.Upgraded())


def at_low_priority(load: Callable[[], Any]) -> Any:
    """Call `load`, nearly all of a start's work, with less priority than other programs.

    A user cannot raise a priority again, and MLflow should serve at the normal one. On Linux a
    thread has its own priority; elsewhere the process would keep the low one, so it is not changed.
    """
    if sys.platform != "linux":
        return load()
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(BACKGROUND_NICENESS,)) as thread:
        return thread.submit(load).result()
