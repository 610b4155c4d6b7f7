"""A Jupyter server whose MLflow is a stand-in or MLflow itself, on any store.

Tests share these servers: what `c.MLflowProxy.python` names is a script that each test writes.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import socket
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from mlflow_proxy.addresses import (
    CONTROL_RESTART,
    CONTROL_START,
    CONTROL_STOP,
    CONTROL_UPGRADE,
    STATUS,
)

from .lab import TOKEN, Lab, lab_server, leftovers
from .life import store_in
from .waiting import wait_for

STAND_INS = Path(__file__).parents[1] / "resources" / "mlflow_processes"
PAGE = {"Accept": "text/html"}
JSON = {"Content-Type": "application/json"}
TIMEOUT = 30.0  # seconds for a response
OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")
QUICK = f"c.ServerApp.jpserver_extensions = {dict.fromkeys(OTHERS, False)}\n"
"""Without the extensions that MLflow does not need, Jupyter starts in half the time."""


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, to MLflow itself."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


class Server:
    """A running Jupyter server."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.process = lab.process
        self.log = lab.mlflow_log
        self.log.touch(0o600)  # which Jupyter does with the first line
        address = urlsplit(lab.mlflow_url)
        self.host, self.port, self.path = address.hostname or "", address.port, address.path

    def connection(self) -> http.client.HTTPConnection:
        """A new connection, not yet connected."""
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)

    def headers(self, headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """`headers` of a request that Jupyter lets in."""
        return {"Authorization": f"token {TOKEN}", **(headers or {})}

    def request(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | bytes = "",
    ) -> tuple[int, dict[str, str], str]:
        """Send a request for `path` below the dashboard; returns status, headers and body."""
        connection = self.connection()
        try:
            connection.request(method, self.path + path, body or None, self.headers(headers))
            response = connection.getresponse()
            names = {name for name, _ in response.getheaders()}
            all_of = {name: response.getheader(name, "") for name in names}  # joined by commas
            return response.status, all_of, response.read().decode()
        finally:
            connection.close()

    @contextmanager
    def sending(self, head: str, data: bytes = b"") -> Iterator[socket.socket]:
        """Send a request by hand; returns its connection, which is closed after the response.

        `head` are its first lines, in which `{path}` is the dashboard's; `data` is sent after it.
        """
        lines = [
            *head.format(path=self.path).splitlines(),
            *(f"Host: {self.host}:{self.port}", f"Authorization: token {TOKEN}"),
            "Connection: close",
        ]
        with socket.create_connection((self.host, self.port), TIMEOUT) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + data)
            yield connection

    def status(self) -> dict[str, Any]:
        """The status that the loading page polls."""
        return json.loads(self.request(STATUS)[2])

    def wait_until(self, state: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until MLflow is in `state`."""
        try:
            return wait_for(lambda: (found := self.status())["state"] == state and found, timeout)
        except AssertionError:
            raise AssertionError(f"MLflow is not {state}: {self.log.read_text()}") from None

    def post(self, path: str, **headers: str) -> int:
        """Post to `path` as the page does; returns the status."""
        return self.request(path, "POST", {**JSON, **headers}, "{}")[0]

    def control(self, path: str) -> dict[str, Any]:
        """Post to `path`, which has to be accepted; returns the state that the answer tells."""
        status, _, body = self.request(path, "POST", JSON, "{}")
        assert status == 202
        return json.loads(body)

    def start(self) -> dict[str, Any]:
        """Start MLflow, as the button "Try again" does as well."""
        return self.control(CONTROL_START)

    def try_again(self) -> int:
        """Send the request of the button "Try again"."""
        return self.post(CONTROL_START)

    def stop(self) -> dict[str, Any]:
        """Stop MLflow."""
        return self.control(CONTROL_STOP)

    def restart(self) -> dict[str, Any]:
        """Restart MLflow."""
        return self.control(CONTROL_RESTART)

    def upgrade(self) -> int:
        """Send the request that agrees to the offered upgrade."""
        return self.post(CONTROL_UPGRADE)

    @property
    def child(self) -> psutil.Process:
        """The newest MLflow process."""
        return psutil.Process(wait_for(lambda: self.status()["pid"]))

    @property
    def socket(self) -> Path:
        """The socket of the one MLflow process."""
        (path,) = (self.lab.home / "tmp").glob("jupyter-server-proxy-*/socket")
        return path

    def has_ended(self) -> bool:
        """Whether no MLflow process and no file of one is left."""
        with suppress(psutil.NoSuchProcess):  # one that has just ended
            return not (self.lab.mlflow_processes() or leftovers(self.lab.home))
        return False

    def run(self, *command: str | Path, **variables: str) -> None:
        """Let MLflow's next process be `command`, followed by the arguments for MLflow."""
        if path := os.environ.get("PYTHONPATH"):  # which only Jupyter's own interpreter is given
            variables = {"PYTHONPATH": path, **variables}
        words = " ".join(shlex.quote(str(word)) for word in command)
        exports = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        script = self.lab.home / "mlflow"
        script.write_text("".join(["#!/bin/sh\n", *exports, f'exec {words} "$@"\n']))
        script.chmod(0o700)

    def run_stand_in(self, behaviour: str, folder: Path) -> None:
        """Let MLflow's next process be the program `behaviour`, in `folder`."""
        program = STAND_INS / f"{behaviour}.py"
        self.run(*in_folder(folder), sys.executable, program)

    def forget_failures(self, folder: Path) -> None:
        """Let MLflow be ready once, after which its failures in a row begin anew."""
        self.run_stand_in("serve", folder)
        self.start()
        self.wait_until("ready")
        self.clean()

    def clean(self) -> None:
        """Make it as it was before a test has used it, but for its failures."""
        self.stop()
        self.wait_for_end()
        for log in (self.log, self.lab.log):
            os.truncate(log, 0)

    def wait_for_end(self) -> None:
        """Wait until no MLflow process is left."""
        wait_for(self.has_ended, message=f"MLflow has not ended, see {self.log}")


def in_folder(folder: Path, *launcher: str | Path) -> list[str | Path]:
    """A command prefix that runs its arguments, and those for MLflow, in `folder`."""
    run = 'cd "$0" && exec "$@"'
    return ["sh", "-c", run, folder, *launcher]


class Pool:
    """Jupyter servers that tests use one after the other, by their configuration."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._free: dict[str, list[Server]] = defaultdict(list)
        self.starts = 0
        """How many were started."""

    @contextmanager
    def server(self, config: str, kind: str = "") -> Iterator[Server]:
        """A server with `config` that no other test uses; `kind` tells apart what tests do with it.

        After a failed test it is not used again.
        """
        free = self._free[kind + config]
        server = free.pop() if free else self._start(config)
        yield server
        server.clean()
        free.append(server)

    def _start(self, config: str) -> Server:
        self.starts += 1
        # Short: paths of sockets have a limit.
        home = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="j"))
        return self._stack.enter_context(jupyter_server(Path(home), config))

    def close(self) -> None:
        """End all of them; no process and no file may be left."""
        self._stack.close()
        self._free.clear()


pool = Pool()


@contextmanager
def jupyter_server(home: Path, config: str = "", **options: Any) -> Iterator[Server]:
    """Start a Jupyter server for one test; it takes the options of `lab_server`.

    Its MLflow is set by `Server.run`.
    """
    config = f"{QUICK}c.MLflowProxy.python = '{home}/mlflow'\n{config}"
    with lab_server(home, config=config, program="server", **options) as lab:
        yield Server(lab)


def settings_of(settings: Mapping[str, Any]) -> str:
    """The configuration that sets `settings`."""
    return "".join(f"c.MLflowProxy.{name} = {value!r}\n" for name, value in settings.items())


@contextmanager
def server_of(
    behaviour: str, folder: Path, *, first: bool = False, start: bool = True, **settings: Any
) -> Iterator[Server]:
    """A Jupyter server that runs a program of resources/mlflow_processes instead of MLflow.

    `first`: MLflow was never ready there, and the test does not make it ready.
    """
    config = settings_of({"start_timeout": 30.0, "idle_timeout": 0.0, **settings})
    with pool.server(config, "first" if first else "stand-in") as server:
        if not first and server.status()["state"] != "idle":
            server.forget_failures(folder)
        server.run_stand_in(behaviour, folder)
        if start:
            server.start()
        yield server


@contextmanager
def mlflow_of(
    folder: Path,
    *launcher: str,
    python: str | Path = sys.executable,
    options: Sequence[str] = (),
    idle_timeout: float = 0,
    has_failed: bool = True,
    **variables: str,
) -> Iterator[Server]:
    """A Jupyter server of MLflow itself on `folder`, with `mlflow.db` in it or another store.

    `launcher` is a command prefix that execs its arguments; `python` has MLflow; `idle_timeout` is
    in seconds (0: none); `has_failed`: earlier failures may have delayed the retries of programs.
    """
    home = folder / "home"
    home.mkdir(exist_ok=True)
    stores = store_in(folder, variables.get("MLFLOW_BACKEND_STORE_URI", ""))
    variables = {"HOME": str(home), **stores, **variables}
    config = settings_of({"idle_timeout": float(idle_timeout), "job_execution": False})
    with pool.server(config) as server:
        if not has_failed:
            server.forget_failures(folder)
        more = [f"--root-dir={folder}", *options]
        script = 'exec "$@" ' + " ".join(map(shlex.quote, more))
        server.run(*in_folder(folder, *launcher), "sh", "-c", script, python, python, **variables)
        server.start()
        yield server
