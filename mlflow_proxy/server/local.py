"""MLflow in this process: the stages of its start, each reported to the supervisor."""

import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from mlflow_proxy.shared.offers import DeclinedOffers, Repair
from mlflow_proxy.shared.reports import (
    Repaired,
    Stage,
    StageEntered,
    StaticFolder,
    Step,
    Version,
    Warned,
)
from mlflow_proxy.sqlite_creation import Revisions
from mlflow_proxy.stores import Database

from . import key_encryption, mlflow_app
from .installation import find_mlflow
from .local_address import LocalAddress
from .reporter import Reporter
from .store import locations, locks, upgrade
from .store.opened_files import OpenedFiles
from .store.settings import StoreSettings

BACKGROUND_NICENESS = 10
# Seconds before each further attempt to create a database on a server, because a kernel, which
# knows no lock, may be creating it.
PAUSES = (1.0, 3.0)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to start and serve MLflow."""

    idle_timeout: float
    """Seconds; 0: none."""
    background: bool
    """Whether to start at low priority."""
    declined: DeclinedOffers
    job_execution: bool = False
    """Whether to run MLflow's background jobs."""


def run(
    reporter: Reporter,
    settings: StoreSettings,
    listener: socket.socket,
    options: Options,
) -> None:
    """Start MLflow and serve it.

    Raises:
        StartError: it cannot start, for a known reason.
    """
    mlflow_folder = find_mlflow()
    static_folder = mlflow_folder / "server" / "js" / "build"
    reporter.send(StaticFolder(str(static_folder)))
    revisions = Revisions.read(mlflow_folder)
    # Saves half a second: what an import creates is not garbage, so there is nothing to collect.
    gc.disable()
    settings.check()
    existing = upgrade.check(settings, revisions)
    locations.check(settings, existing, options.declined)

    reporter.send(StageEntered(Stage.IMPORT))
    with reporter.counting_modules():
        from . import assistant, jobs, serve
        from .handover import Handover
        from .middleware import Application, wrap
        from .middleware.use_tracker import LastUse
        from .mode import CurrentMode

        mlflow_app.configure(settings)
        app = at_low_priority(mlflow_app.load) if options.background else mlflow_app.load()
        why_no_jobs = jobs.why_not(settings, options.job_execution)

    reporter.send(Version(mlflow_app.version()))

    def enter(step: Step | None = None) -> None:
        reporter.send(StageEntered(Stage.STORE, step))

    enter()
    files = OpenedFiles(store.path for store in settings.files)
    open_stores(settings, revisions, existing, enter)
    files.complete()
    gc.freeze()
    gc.enable()

    reporter.send(StageEntered(Stage.SERVE))
    key_encryption.warn_once(lambda message: reporter.send(Warned(message)))
    address = LocalAddress.from_environment()
    if address is not None:
        address.export(settings.default_artifact_root)
        assistant.install(address)
    application = Application(
        app,
        # An MLflow that was installed from its source has no static files.
        static_folder=static_folder if static_folder.is_dir() else None,
        artifact_root=settings.served_artifacts,
        has_artifact_store=True,
        keeps_folders=settings.served_artifacts == settings.default_artifact_root,
        opened_files=files,
        mode=CurrentMode(mlflow_app.find_mode),
        why_no_jobs=why_no_jobs,
        local_address=address,
    )
    last_use, handover = LastUse(), Handover(reporter.send)
    reporter.on_hand_over = handover.request
    app = wrap(application, last_use, options.idle_timeout, handover)
    with jobs.running(listener, last_use, address, handover) if not why_no_jobs else nullcontext():
        serve.run(app, listener, handover, last_use, options.idle_timeout)


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
        mlflow_app.open_stores(settings, revisions.latest, report)
        return
    report(Step.WAIT)
    with locks.alone(new):
        upgrade.check(settings, revisions, is_locked=True)
        report(Step.CREATE)
        for pause in (*PAUSES, None):
            try:
                mlflow_app.open_stores(settings, revisions.latest, report)
                return
            except Exception as error:  # each driver has its own exceptions
                if pause is None:
                    raise
                _logger.warning("%s: %s", type(error).__name__, error)
                time.sleep(pause)


def repair_store(reporter: Reporter, settings: StoreSettings, repair: Repair) -> None:
    """Run `repair`, as the user has agreed to.

    Raises:
        StartError: it has failed.
    """
    reporter.send(StageEntered(Stage.PREPARE, Step(repair.value)))
    revisions = Revisions.read(find_mlflow())
    match repair:
        case Repair.UPGRADE:
            upgrade.run(settings, revisions, mlflow_app.upgrade_database)
        case Repair.LOCATIONS:
            locations.run(settings, upgrade.check(settings, revisions))
    reporter.send(Repaired())


def at_low_priority(load: Callable[[], Any]) -> Any:
    """Call `load`, nearly all of a start's work, with less priority than other programs.

    A user cannot raise a priority again, and MLflow should serve at the normal one. On Linux a
    thread has its own priority; elsewhere the process would keep the low one, so it is not changed.
    """
    if sys.platform != "linux":
        return load()
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(BACKGROUND_NICENESS,)) as thread:
        return thread.submit(load).result()
