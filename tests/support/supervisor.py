"""A supervisor of a stand-in for MLflow, or of MLflow itself."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mlflow_proxy.addresses import CONTROL, CONTROL_SOCKET

from .processes import environment, running
from .waiting import wait_for

STAND_INS = Path(__file__).parents[1] / "resources" / "mlflow_processes"
PAGE = {"Accept": "text/html"}


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


class Supervisor:
    """A running supervisor."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, listener: Path) -> None:
        self.process = process
        self.socket = listener
        self.log = folder / "mlflow-proxy-0.log"
        wait_for(lambda: process.poll() is not None or self.accepts(), message="no program listens")

    def accepts(self) -> bool:
        """Whether the socket accepts; its file may exist earlier or be another program's."""
        connection = Connection(self.socket)
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def request(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: str = ""
    ) -> tuple[int, dict[str, str], str]:
        """Send a request; returns status, headers and body."""
        connection = Connection(self.socket)
        try:
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        """The status that the loading page polls."""
        return json.loads(self.request("/_proxy/status")[2])

    def wait_until(self, state: str, timeout: float = 30.0) -> dict[str, Any]:
        """Wait until the child is in `state`."""
        return wait_for(lambda: is_in(state, status := self.status(), self.log) and status, timeout)

    def control(self, path: str = CONTROL) -> dict[str, Any]:
        """Get MLflow's state from the supervisor's own socket, or post to another `path` there."""
        connection = Connection(self.socket.with_name(CONTROL_SOCKET))
        try:
            connection.request("GET" if path == CONTROL else "POST", path)
            answer = connection.getresponse()
            assert answer.status == (200 if path == CONTROL else 202)
            assert answer.getheader("Cache-Control") == "no-store"
            return json.loads(answer.read())
        finally:
            connection.close()

    def try_again(self) -> int:
        """Send the request of the button "Try again"."""
        return self.post("/_proxy/start")

    def repair(self, kind: str) -> int:
        """Send the request that agrees to the offered repair."""
        return self.post(f"/_proxy/repair/{kind}")

    def decline(self, kind: str) -> int:
        """Send the request that declines the offered repair."""
        return self.post(f"/_proxy/decline/{kind}")

    def post(self, path: str, **headers: str) -> int:
        """Post to `path` as the page does; returns the status."""
        headers = {"Content-Type": "application/json", **headers}
        return self.request(path, "POST", headers, "{}")[0]

    @property
    def child(self) -> psutil.Process:
        """The child's process."""
        (child,) = wait_for(psutil.Process(self.process.pid).children)
        return child


def is_in(state: str, status: dict[str, Any], log: Path) -> bool:
    """Whether MLflow is in `state` by `status`; if ready, whether it alone accepts.

    During the handover both MLflow and the supervisor accept, and either may answer.
    """
    if status["state"] != state:
        return False
    if state != "ready":
        return True
    lines = log.read_text()
    pid = re.findall(r"Started MLflow \(pid (\d+)\)", lines)[-1]
    return f"MLflow is ready (pid {pid})" in lines


def new_socket() -> Path:
    """A short path for a socket; a path below a test's folder may be too long."""
    return Path(tempfile.gettempdir()) / f"jupyter-server-proxy-{uuid.uuid4().hex[:8]}" / "socket"


@contextmanager
def supervisor_of(
    behaviour: str, folder: Path, *options: str, listener: Path | None = None
) -> Iterator[Supervisor]:
    """Run a supervisor whose MLflow is a program of resources/mlflow_processes."""
    command = [*command_of(behaviour, folder), *options]
    with _running_on(listener or new_socket(), command, folder, environment(folder)) as supervisor:
        yield supervisor


def command_of(behaviour: str, folder: Path) -> list[str]:
    """The command of a supervisor that runs the program `behaviour` instead of MLflow."""
    python = folder / behaviour
    program = STAND_INS / f"{behaviour}.py"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    python.chmod(0o700)
    return [
        *(sys.executable, "-m", "mlflow_proxy"),
        f"--log-file={folder}/mlflow-proxy-0.log",
        f"--root-dir={folder}",
        f"--python={python}",
        "--start-timeout=2",
    ]


@contextmanager
def mlflow_of(
    folder: Path,
    *launcher: str,
    python: str | Path = sys.executable,
    options: Sequence[str] = (),
    idle_timeout: float = 0,
    **variables: str,
) -> Iterator[Supervisor]:
    """Run a supervisor of MLflow itself on `folder`, with `mlflow.db` in it or another store.

    `launcher` is a command prefix that execs its arguments; `python` has MLflow; `idle_timeout` is
    in seconds (0: none).
    """
    store = variables.get("MLFLOW_BACKEND_STORE_URI", f"sqlite:///{folder}/mlflow.db")
    stores = {
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_REGISTRY_STORE_URI": store,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"{folder}/mlartifacts",
    }
    home = folder / "home"
    home.mkdir(exist_ok=True)
    command = [
        *(*launcher, sys.executable, "-m", "mlflow_proxy"),
        f"--log-file={home}/mlflow-proxy-0.log",
        f"--root-dir={folder}",
        f"--python={python}",
        "--start-timeout=120",
        f"--mlflow-option=--idle-timeout={idle_timeout:g}",
        *options,
    ]
    env = environment(home, {**stores, **variables})
    with _running_on(new_socket(), command, home, env) as supervisor:
        yield supervisor


@contextmanager
def _running_on(
    listener: Path, command: list[str], home: Path, env: dict[str, str]
) -> Iterator[Supervisor]:
    """Run the supervisor of `command` on `listener`; assert that no file is left."""
    command = [*command, f"--unix-socket={listener}"]
    with running(command, cwd=home, env=env, log=home / "stderr") as process:
        yield Supervisor(process, home, listener)
    left = [] if process.returncode == -signal.SIGKILL else [*listener.parent.glob("*")]
    shutil.rmtree(listener.parent, ignore_errors=True)  # Jupyter would remove it
    assert not left
