"""The supervisor's command line.

Exit codes, for jupyter-server-proxy, which restarts a process that exits non-zero and never again
starts one that exits with 0. The supervisor does not exit with 0 while Jupyter is alive.

- 0: Jupyter has exited.
- 1: failure (e.g. the socket cannot be created); delayed, because jupyter-server-proxy restarts
  immediately and forever.
- 128 + N: ended by signal N.
"""

import argparse
import asyncio
import logging
import os
import socket
import time
from pathlib import Path

from mlflow_proxy.shared.addresses import BAD_SETTINGS, CONTROL_SOCKET
from mlflow_proxy.shared.offers import DeclinedOffers
from mlflow_proxy.shared.reports import Failure

from . import interpreter
from .front.sockets import listen, remove_folder
from .logs import MLflowOutput, set_up_logging
from .mlflow_process import MLflowCommand, without_jupyters_secrets
from .offers import Offers
from .progress import StartHistory
from .supervisor import Supervisor

RECONFIGURE = "Correct the Jupyter configuration or command line, then restart Jupyter."
RESTART_DELAY = 5.0  # seconds
SERVER = Path(__file__).parents[1] / "server"


def main(arguments: list[str] | None = None) -> int:
    """Run the supervisor until Jupyter or a signal ends it; returns the exit code."""
    options = parser().parse_args(arguments)
    umask = os.umask(0o077)  # the socket, the log and the history are private
    output = set_up_logging(options.log_file)
    try:
        control = options.unix_socket.with_name(CONTROL_SOCKET)
        with listen(options.unix_socket) as listener, listen(control) as control_listener:
            code = asyncio.run(run(options, listener, control_listener, output, umask))
        if code == 0:
            remove_folder(options.unix_socket)
        return code
    except Exception:
        logging.getLogger(__name__).exception("The supervisor of MLflow failed")
        time.sleep(RESTART_DELAY)
        return 1


async def run(
    options: argparse.Namespace,
    listener: socket.socket,
    control_listener: socket.socket,
    output: MLflowOutput,
    umask: int,
) -> int:
    """Run the supervisor that `options` describe; returns the exit code."""
    declined = DeclinedOffers(options.log_file.with_name("mlflow-proxy-declined.json"))
    inherited = without_jupyters_secrets(os.environ)
    misconfiguration = inherited.pop(BAD_SETTINGS, "")
    python = interpreter.find(options.python)
    supervisor = Supervisor(
        listener=listener,
        control_listener=control_listener,
        # `-u`: the last output of a process that is killed reaches the log.
        command=MLflowCommand(
            (
                *(python, "-u", str(SERVER), f"--declined-offers={declined.path}"),
                *options.mlflow_options,
            ),
            options.root_dir,
            interpreter.environment(python, inherited, options.mlflow_variables),
            umask,
            Failure(misconfiguration, RECONFIGURE) if misconfiguration else None,
        ),
        output=output,
        history=StartHistory(options.log_file.with_name("mlflow-proxy-start.json")),
        offers=Offers(declined),
        log_file=options.log_file,
        start_timeout=options.start_timeout,
        jupyter_pid=options.jupyter_pid,
        background=options.background,
    )
    return await supervisor.run()


def parser() -> argparse.ArgumentParser:
    """Build the parser of the supervisor's options."""
    result = argparse.ArgumentParser(prog="mlflow_proxy", description=__doc__, allow_abbrev=False)
    result.add_argument("--unix-socket", type=Path, required=True, help="path to listen on")
    result.add_argument("--log-file", type=Path, required=True, help="path of the log")
    result.add_argument("--root-dir", type=Path, required=True, help="MLflow's working folder")
    result.add_argument("--jupyter-pid", type=int, default=os.getppid(), help="parent to exit with")
    result.add_argument("--python", required=True, help="interpreter that runs MLflow")
    result.add_argument("--start-timeout", type=float, required=True, help="seconds")
    result.add_argument(
        "--mlflow-variable",
        action="append",
        default=[],
        dest="mlflow_variables",
        help="name of a variable that the user has set for MLflow alone",
    )
    result.add_argument("--background", action="store_true", help="first start at low priority")
    result.add_argument(
        "--mlflow-option",
        action="append",
        default=[],
        dest="mlflow_options",
        help="option of the MLflow process, passed on unread",
    )
    return result
