"""Shared code of the benchmarks: the plain entry, and cleanup of its processes."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.processes import environment

PLAIN_TIMEOUT = 120  # seconds, jupyter-server-proxy's for the plain entry
JOBS_FOLDER = "_MLFLOW_HUEY_STORAGE_PATH"  # variable: folder of the job queues of `mlflow ui`
PR_SET_CHILD_SUBREAPER = 36  # Linux, see prctl(2)
PACKAGES = ("jupyter-mlflow-proxy", "mlflow", "jupyter-server-proxy", "jupyter-server")


def versions() -> str:
    """Versions of the measured packages, and the number of cores."""
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"Python {python_version()}, {packages}, {os.cpu_count()} cores."


def run_python(code: str, home: Path, *options: str, **variables: str) -> float:
    """Run `code` in a new interpreter; returns the seconds that it took."""
    command = [sys.executable, *options, "-c", code]
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=home, env=environment(home, variables), stdout=2)
    return time.perf_counter() - began


def plain_entry(root: Path) -> str:
    """Jupyter's configuration of an entry that runs `mlflow ui`."""
    store = f"--backend-store-uri=sqlite:///{root}/mlflow.db"
    command = ["mlflow", "ui", "--port", "{port}", store]
    servers = {"plain": {"command": command, "timeout": PLAIN_TIMEOUT}}
    # Else our tracking URI in the environment would also reach this entry.
    return f"c.ServerProxy.servers = {servers}\nc.MLflowProxy.export_tracking_uri = False"


def rounds_of(description: str | None, default: int) -> int:
    """Read the option `--rounds`; from now on a SIGTERM ends the script as an error would."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=default, help="number of rounds")
    rounds = int(parser.parse_args().rounds)
    if rounds < 1:
        parser.error("--rounds takes 1 or more")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return rounds


def adopt_orphans() -> None:
    """Become the subreaper: `mlflow ui` leaves orphaned processes, which must be ended."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("orphans cannot be adopted, so they could not be ended")


def end_children() -> None:
    """End all child processes; each signal is sent twice, as ending children may start others."""
    folders = set()
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.Error):
                folders.add(child.environ().get(JOBS_FOLDER))
                child.send_signal(number)
        psutil.wait_procs(children, timeout=10)
    for folder in folders - {None}:  # in /dev/shm; MLflow never removes them
        shutil.rmtree(folder, ignore_errors=True)
    if children := psutil.Process().children(recursive=True):
        tell(f"left behind: {children}")


def tell(text: str) -> None:
    """Print progress to stderr."""
    print(text, file=sys.stderr, flush=True)
