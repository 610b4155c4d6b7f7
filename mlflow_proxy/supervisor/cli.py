"""The supervisor's command line.

Exit codes, for jupyter-server-proxy, which starts anew what exits non-zero and never again what
exits 0: the supervisor never exits with 0 while Jupyter lives.

- 0: Jupyter has ended.
- 1: it has failed, the socket could not be made, say; only after a pause, for what starts it anew
  does so at once and for ever.
- 128 + N: ended by signal N.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
import time
from pathlib import Path

from .child import MLflowCommand
from .logs import MLflowOutput, set_up_logging
from .progress import StartHistory
from .sockets import listen
from .supervisor import Supervisor

RESTART_DELAY = 5.0  # seconds
SERVER = Path(__file__).parents[1] / "server"


def main(arguments: list[str] | None = None) -> int:
    """Run the supervisor until Jupyter or a signal ends it; returns the exit code."""
    options = parser().parse_args(arguments)
    os.umask(0o077)  # the socket, the log and the history are their owner's alone
    output = set_up_logging(options.log_file)
    try:
        with listen(options.unix_socket) as listener:
            return asyncio.run(supervisor(options, listener, output).run())
    except Exception:
        logging.getLogger(__name__).exception("The supervisor of MLflow has failed")
        time.sleep(RESTART_DELAY)
        return 1


def supervisor(
    options: argparse.Namespace, listener: socket.socket, output: MLflowOutput
) -> Supervisor:
    """Make the supervisor that `options` describe."""
    return Supervisor(
        listener=listener,
        # `-u`: the last words of a process that is killed are in the log.
        command=MLflowCommand(
            (options.python, "-u", str(SERVER), f"--idle-timeout={options.idle_timeout:g}"),
            folder=options.root_dir,
        ),
        output=output,
        history=StartHistory(options.log_file.with_name("mlflow-proxy-start.json")),
        log_file=options.log_file,
        start_timeout=options.start_timeout,
        jupyter_pid=options.jupyter_pid,
        background=options.background,
    )


def parser() -> argparse.ArgumentParser:
    """Build the parser of the supervisor's options."""
    result = argparse.ArgumentParser(prog="mlflow_proxy", description=__doc__, allow_abbrev=False)
    result.add_argument("--unix-socket", type=Path, required=True, help="path to listen on")
    result.add_argument("--log-file", type=Path, required=True, help="path of the log")
    result.add_argument("--root-dir", type=Path, default=Path.cwd(), help="MLflow's working folder")
    result.add_argument("--jupyter-pid", type=int, default=os.getppid(), help="parent to end with")
    result.add_argument("--python", default=sys.executable, help="interpreter that runs MLflow")
    result.add_argument("--start-timeout", type=float, default=120.0, help="seconds")
    result.add_argument("--background", action="store_true", help="nobody waits for this start")
    result.add_argument("--idle-timeout", type=float, default=0.0, help="seconds; 0: none")
    return result
