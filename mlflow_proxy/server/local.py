"""MLflow in this process: the stages of its start, each reported to the supervisor."""

import gc
import importlib.util
import os
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlflow_proxy.shared.reports import Stage, StageEntered, StaticFolder, Step, Upgraded
from mlflow_proxy.shared.stores import sqlite_path

from . import mlflow_app
from .errors import StartError
from .reporter import Reporter
from .store import upgrade
from .store.opened_files import OpenedFiles
from .store.revisions import Revisions
from .store.settings import StoreSettings

BACKGROUND_NICENESS = 10


def run(
    reporter: Reporter,
    settings: StoreSettings,
    listener: socket.socket,
    idle_timeout: float,
    background: bool,
) -> None:
    """Start MLflow, in the `background` at low priority, and serve it.

    Raises:
        StartError: it cannot start, for a known reason.
    """
    mlflow_folder = find_mlflow()
    static_folder = mlflow_folder / "server" / "js" / "build"
    reporter.send(StaticFolder(str(static_folder)))
    revisions = Revisions.of(mlflow_folder)
    settings.check()
    upgrade.check(settings, revisions)

    # Saves half a second: what an import creates is not garbage, so there is nothing to collect.
    gc.disable()
    reporter.send(StageEntered(Stage.IMPORT))
    with reporter.counting_modules():
        from . import serve
        from .handover import Handover
        from .middleware import Application, wrap
        from .middleware.use_tracker import LastUse

        mlflow_app.configure(settings)
        app = at_low_priority(mlflow_app.load) if background else mlflow_app.load()

    def enter(step: Step | None = None) -> None:
        reporter.send(StageEntered(Stage.STORE, step))

    enter()
    files = OpenedFiles(path for _, uri in settings.stores() if (path := sqlite_path(uri)))
    mlflow_app.open_stores(settings, revisions.latest, enter)
    files.complete()
    gc.freeze()
    gc.enable()

    reporter.send(StageEntered(Stage.SERVE))
    application = Application(
        app,
        # An MLflow that was installed from its source has no static files.
        static_folder=static_folder if static_folder.is_dir() else None,
        artifact_root=settings.default_artifact_root,
        opened_files=files,
    )
    last_use, handover = LastUse(), Handover(reporter.send)
    app = wrap(application, last_use, idle_timeout, handover)
    serve.run(app, listener, handover, last_use, idle_timeout)


def upgrade_store(reporter: Reporter, settings: StoreSettings) -> None:
    """Upgrade the database, as the user has agreed to.

    Raises:
        StartError: it could not be upgraded.
    """
    reporter.send(StageEntered(Stage.PREPARE, Step.UPGRADE))
    upgrade.run(settings, Revisions.of(find_mlflow()), mlflow_app.upgrade_database)
    reporter.send(Upgraded())


def at_low_priority(load: Callable[[], Any]) -> Any:
    """Call `load`, nearly all of a start's work, with less priority than other programs.

    A user cannot raise a priority again, and MLflow should serve at the normal one. On Linux a
    thread has its own priority; elsewhere the process would keep the low one, so it is not changed.
    """
    if sys.platform != "linux":
        return load()
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(BACKGROUND_NICENESS,)) as thread:
        return thread.submit(load).result()


def find_mlflow() -> Path:
    """Find MLflow's folder without importing it.

    Raises:
        StartError: MLflow is not installed for this interpreter.
    """
    spec = importlib.util.find_spec("mlflow")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if os.path.isfile(os.path.join(folder, "server", "__init__.py")):
            return Path(folder)
    raise StartError(
        f"MLflow is not installed for {sys.executable}.",
        f"Run: {sys.executable} -m pip install mlflow",
    )
