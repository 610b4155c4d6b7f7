"""The MLflow process's command line.

Exit codes: 0 after a SIGTERM or a repair, 1 after a failure, which was reported.
"""

import argparse
import logging
import signal
import socket
import traceback
from pathlib import Path

from mlflow_proxy.shared.offers import DeclinedOffers, Repair
from mlflow_proxy.stores import TrackingServer

from . import failures, local, remote
from .errors import StartError
from .reporter import Reporter
from .store.settings import StoreSettings


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or the supervisor's end, or run a repair; returns the exit code."""
    options = parser().parse_args(arguments)
    reporter = Reporter(options.reports)
    # The supervisor reads this and adds the time.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # the supervisor logs the transitions
    listener = socket.socket(fileno=options.listener)
    listener.set_inheritable(False)
    settings = StoreSettings.from_environment()
    try:
        if options.repair:
            # SIGTERM is ignored: the supervisor kills after five seconds, which is often enough.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            local.repair_store(reporter, settings, options.repair)
        elif isinstance(settings.backend_store, TrackingServer):
            remote.run(reporter, settings.backend_store.uri, listener, options.idle_timeout)
        else:
            declined = DeclinedOffers(options.declined_offers)
            how = local.Options(
                options.idle_timeout, options.background, declined, options.job_execution
            )
            local.run(reporter, settings, listener, how)
    except StartError as error:
        reporter.send(error.failure)
    except Exception as error:  # MLflow may raise anything
        traceback.print_exc()
        reporter.send(failures.explain(error, settings.backend_store.shown).failure)
    else:
        return 0
    return 1


def parser() -> argparse.ArgumentParser:
    """Build the parser of the options that the supervisor passes on or adds."""
    result = argparse.ArgumentParser(prog="mlflow_proxy.server", description=__doc__)
    result.add_argument("--listener", type=int, required=True, help="listening unix socket")
    result.add_argument("--reports", type=int, required=True, help="socket to the supervisor")
    result.add_argument("--background", action="store_true", help="import at low priority")
    result.add_argument("--repair", type=Repair, help="repair the store, do not serve")
    result.add_argument("--declined-offers", type=Path, required=True, help="a file that may exist")
    result.add_argument("--job-execution", action="store_true", help="run MLflow's jobs")
    result.add_argument("--idle-timeout", type=float, default=0.0, help="seconds; 0: none")
    return result
