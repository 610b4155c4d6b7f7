"""The stages of MLflow's start, each reported to the supervisor.

Exit codes: 0 after a SIGTERM, 1 after a failure (which was reported or is in the log).
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import failures, mlflow_app, upgrade
from .errors import StartError
from .reporter import Reporter
from .revisions import Revisions
from .settings import StoreSettings

BACKGROUND_NICENESS = 10


def main(arguments: list[str] | None = None) -> int:
    """Serve MLflow until SIGTERM, or until the supervisor is gone; returns the exit code."""
    options = parser().parse_args(arguments)
    reporter = Reporter(options.reports)
    # The supervisor, who reads this, adds the time.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # the supervisor says as much
    listener = socket.socket(fileno=options.listener)
    listener.set_inheritable(False)
    settings = StoreSettings.from_environment()
    try:
        folder = find_mlflow()
        if options.upgrade:
            # Asked to end, it has the five seconds that the supervisor waits: often enough.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            reporter.stage("prepare", "upgrade")
            upgrade.run(settings, Revisions.of(folder), mlflow_app.upgrade_database)
            reporter.upgraded()
        else:
            start(reporter, settings, folder, listener, options)
    except StartError as error:
        reporter.failed(error)
    except Exception as error:  # whatever MLflow raises
        traceback.print_exc()
        reporter.failed(failures.explain(error, upgrade.shown(settings.backend_store_uri)))
    else:
        return 0
    return 1


def parser() -> argparse.ArgumentParser:
    """Build the parser of the descriptors that the supervisor hands on."""
    result = argparse.ArgumentParser(prog="mlflow_proxy.server", description=__doc__)
    result.add_argument("--listener", type=int, required=True, help="listening unix socket")
    result.add_argument("--reports", type=int, required=True, help="socket to the supervisor")
    result.add_argument("--background", action="store_true", help="import at low priority")
    result.add_argument("--upgrade", action="store_true", help="upgrade a database, do not serve")
    result.add_argument("--idle-timeout", type=float, default=0.0, help="seconds; 0: none")
    return result


def start(
    reporter: Reporter,
    settings: StoreSettings,
    mlflow_folder: Path,
    listener: socket.socket,
    options: argparse.Namespace,
) -> None:
    """Bring MLflow up, at low priority in the background, and serve."""
    static_folder = mlflow_folder / "server" / "js" / "build"
    reporter.static_folder(static_folder)
    revisions = Revisions.of(mlflow_folder)
    settings.check()
    upgrade.check(settings, revisions)

    # Half a second: nothing that an import makes is garbage, so there is no need to look for any.
    gc.disable()
    reporter.stage("import")
    with reporter.counting_modules():
        from . import serve
        from .middleware import wrap

        mlflow_app.configure(settings)
        app = in_background(mlflow_app.load) if options.background else mlflow_app.load()
    reporter.stage("store")
    mlflow_app.open_stores(settings, revisions.latest, lambda text: reporter.stage("store", text))
    gc.freeze()
    gc.enable()

    reporter.stage("serve")
    hold_after = serve.hold_after(options.idle_timeout)
    app = wrap(app, static_folder, settings.default_artifact_root, hold_after)
    serve.run(app, listener, reporter, options.idle_timeout)


def in_background(load: Callable[[], Any]) -> Any:
    """Call `load`, nearly all of a start's work, so that whatever else wants the processor has it.

    No user may raise a priority again, and MLflow should serve at the usual one. On Linux a thread
    has a priority of its own; elsewhere the process would keep the low one, so nothing is lowered.
    """
    if sys.platform != "linux":
        return load()
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(BACKGROUND_NICENESS,)) as thread:
        return thread.submit(load).result()


def find_mlflow() -> Path:
    """Find MLflow's folder without importing it.

    Raises:
        StartError: this interpreter has no MLflow.
    """
    spec = importlib.util.find_spec("mlflow")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if os.path.isfile(os.path.join(folder, "server", "__init__.py")):
            return Path(folder)
    raise StartError(
        f"MLflow is not installed for {sys.executable}.",
        f"Run: {sys.executable} -m pip install mlflow",
    )
