"""The MLflow process's command line.

Exit codes: 0 after a SIGTERM, an upgrade or a reported failure; after any other the process is
started again.
"""

import argparse
import logging
import os
import signal
import traceback
from dataclasses import replace
from pathlib import Path

from mlflow_proxy.addresses import BAD_SETTINGS
from mlflow_proxy.stores import TrackingServer

from . import failures, local, remote
from .failures import StartError
from .reporter import Reporter
from .store.settings import StoreSettings

RECONFIGURE = "Correct the Jupyter configuration or command line, then restart Jupyter."


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Jupyter's end, or run an upgrade; returns the exit code."""
    options = parser().parse_args(arguments)
    reporter = Reporter(options.reports, options.unix_socket)
    # Jupyter reads this and adds the time.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # Jupyter logs the transitions
    settings = replace(StoreSettings.from_environment(), allow_upgrade=options.allow_upgrade)
    try:
        os.chdir(options.root_dir)
        if misconfiguration := os.environ.pop(BAD_SETTINGS, ""):
            raise StartError(misconfiguration, RECONFIGURE)
        if options.check and not isinstance(settings.backend_store, TrackingServer):
            local.check(settings)
        elif options.upgrade:
            # SIGTERM is ignored: SIGKILL follows five seconds later, which is often enough.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            local.upgrade_store(reporter, settings)
        elif isinstance(settings.backend_store, TrackingServer):
            remote.run(reporter, settings.backend_store.uri, options)
        else:
            local.run(reporter, settings, options)
    except StartError as error:
        reporter.send(error.failure)
    except Exception as error:  # MLflow may raise anything
        traceback.print_exc()
        reporter.send(failures.explain(error, settings.backend_store.shown).failure)
    return 0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="mlflow_proxy.server", description=__doc__)
    result.add_argument("--unix-socket", type=Path, required=True, help="path to listen on")
    result.add_argument("--reports", type=int, help="descriptor of a socket to Jupyter")
    result.add_argument("--root-dir", type=Path, default=Path.cwd(), help="the working folder")
    result.add_argument("--background", action="store_true", help="import at low priority")
    result.add_argument("--upgrade", action="store_true", help="upgrade a database, do not serve")
    result.add_argument("--check", action="store_true", help="print what is found, do not serve")
    result.add_argument("--job-execution", action="store_true", help="run MLflow's jobs")
    result.add_argument("--allow-upgrade", default="auto", help="true, false or auto: an own file")
    result.add_argument("--idle-timeout", type=float, default=0.0, help="seconds; 0: none")
    return result
