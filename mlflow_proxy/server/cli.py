"""The stages of MLflow's start, each reported to the supervisor.

Exit codes: 0 after a SIGTERM, 1 after a failure (which was reported or is in the log).
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import logging
import os
import socket
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .errors import StartError
from .reporter import Reporter
from .settings import StoreSettings

BACKGROUND_NICENESS = 10


def main(arguments: list[str] | None = None) -> int:
    """Serve MLflow until SIGTERM, or until the supervisor is gone; returns the exit code."""
    options = parser().parse_args(arguments)
    reporter = Reporter(options.reports)
    try:
        static_folder = find_mlflow() / "server" / "js" / "build"
        reporter.static_folder(static_folder)
        start(reporter, static_folder, socket.socket(fileno=options.listener), options.background)
    except StartError as error:
        reporter.failed(error.reason, error.remedy)
    except Exception as error:
        # Whatever MLflow raises: its message was written for people, the rest is in the log.
        traceback.print_exc()
        reason = str(error).strip() or type(error).__name__
        reporter.failed(reason, "The last lines of the log say more.")
    else:
        return 0
    return 1


def parser() -> argparse.ArgumentParser:
    """Build the parser of the descriptors that the supervisor hands on."""
    result = argparse.ArgumentParser(prog="mlflow_proxy.server", description=__doc__)
    result.add_argument("--listener", type=int, required=True, help="listening unix socket")
    result.add_argument("--reports", type=int, required=True, help="socket to the supervisor")
    result.add_argument("--background", action="store_true", help="import at low priority")
    return result


def start(
    reporter: Reporter, static_folder: Path, listener: socket.socket, background: bool
) -> None:
    """Bring MLflow up, at low priority in the background, and serve."""
    listener.set_inheritable(False)
    # The supervisor, who reads this, adds the time.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings = StoreSettings.from_environment()
    settings.check()

    # Half a second: nothing that an import makes is garbage, so there is no need to look for any.
    gc.disable()
    reporter.stage("import")
    with reporter.counting_modules():
        from . import mlflow_app, serve

        mlflow_app.configure(settings)
        app = in_background(mlflow_app.load) if background else mlflow_app.load()
    reporter.stage("store")
    mlflow_app.open_stores(settings, lambda text: reporter.stage("store", text))
    gc.freeze()
    gc.enable()

    reporter.stage("serve")
    serve.run(app, static_folder, listener, reporter.ready)


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
