"""One MLflow process, as Jupyter sees it: its start, its reports, its requests, its end.

simpervisor runs it, and starts it again at once if it crashes. One socket for reports and one pipe
for output serve each of these starts.
"""

import asyncio
import atexit
import contextlib
import functools
import logging
import os
import re
import shutil
import signal
import socket
import stat
import sys
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from simpervisor import KilledProcessError, SupervisedProcess, atexitasync

from . import reports
from .addresses import NAME, OWN_VARIABLES
from .headers import KEEP_ALIVE
from .log import MLflowOutput
from .reports import Exited, Report, Retired

SOCKET_FOLDER = "jupyter-server-proxy-"  # prefix of its name, as of jupyter-server-proxy's own
END_TIMEOUT = 5.0  # seconds between SIGTERM and SIGKILL
OUTPUT_TIMEOUT = 1.0  # seconds to read the output of a process that has ended
CHUNK = 64 << 10  # bytes of the output that are read at once
MAX_HEADER = 64 << 10  # bytes of one header of a response; aiohttp's default is 8 KiB
MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103  # bytes, see unix(7)
# mkdtemp adds eight characters. MLflow binds its socket under a name of up to six first.
MAX_FOLDER = MAX_SOCKET_PATH - len(f"/{SOCKET_FOLDER}12345678/socket")

RETIRE = signal.SIGUSR1
"""Tells a ready MLflow process that it gets no new requests; it answers with `Retired`."""

# Of gateways of kernels, a hub's proxy, the Jupyter server and a hub, whose variables may hold a
# secret under any name; but for those of the last two that name places and people. And kernels'.
JUPYTERS_VARIABLE = re.compile(
    rf"(?:JUPYTER_GATEWAY|KG|EG|CONFIGPROXY)_.*|{OWN_VARIABLES}.*|(?:JUPYTER|JUPYTERHUB|JUPYTERLAB|JPY)_"
    r"(?!(?:\w*_)?(?:DIRS?|PATH|PREFIX|HOST|USER|SERVER_NAME|SESSION_NAME|PARENT_PID|IMAGE)$).*"
)

# They tell an interpreter where its modules are, or which environment is activated. HPC modules and
# wrappers of Jupyter set them for Jupyter's, for which other modules are right.
INTERPRETER_VARIABLES = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"),
)
# What is in the folder of an environment, and the variable that names the folder. Scripts that a
# conda package may have in `etc/conda/activate.d` are not run.
ENVIRONMENT_KINDS = (("pyvenv.cfg", "VIRTUAL_ENV"), ("conda-meta", "CONDA_PREFIX"))

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MLflowCommand:
    """How to start MLflow; the socket's path and a descriptor are added to the arguments."""

    program: tuple[str, ...]
    """Its interpreter, perhaps of another environment, and arguments."""
    folder: Path
    variables: Callable[[], Mapping[str, str]]
    """Returns those of its environment, beside those of Jupyter."""

    def environment(self) -> dict[str, str]:
        """The environment of a process that is started now.

        That of Jupyter without its secrets and, for an interpreter of another environment, as if
        that were activated.
        """
        dropped, own = {*jupyters_variables(os.environ)}, {}
        bin_folder = os.path.dirname(self.program[0])
        if os.path.realpath(bin_folder) != os.path.realpath(os.path.dirname(sys.executable)):
            dropped.update(INTERPRETER_VARIABLES)
            root = Path(bin_folder).parent
            own = {name: str(root) for mark, name in ENVIRONMENT_KINDS if (root / mark).exists()}
            if own:
                own["PATH"] = os.pathsep.join(filter(None, (bin_folder, os.environ.get("PATH"))))
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        return {**kept, **own, **self.variables()}


class MLflowProcess:
    """An MLflow process with a socket of its own, in a private folder.

    Its reports come in order, `Exited` among them; after an `Exited` with 0 it is not started
    again. It learns by end-of-file on their socket that Jupyter is gone, also if that was killed.
    """

    def __init__(self, command: MLflowCommand, output: MLflowOutput, *options: str) -> None:
        self._output = output
        self._ours, self._theirs = socket.socketpair()
        self._pipe, self._output_end = os.pipe()
        self._folder = make_socket_folder()
        self.socket = f"{self._folder}/socket"
        """Path of the unix socket on which MLflow accepts requests once it is ready."""
        arguments = (f"--unix-socket={self.socket}", f"--reports={self._theirs.fileno()}", *options)
        self.supervised = _Supervised(
            self,
            *(*command.program, *arguments),
            cwd=command.folder,
            env=command.environment(),
            stdin=DEVNULL,
            stdout=self._output_end,
            stderr=STDOUT,
            pass_fds=(self._theirs.fileno(),),
            # Ctrl-C in Jupyter's terminal is for Jupyter to handle.
            start_new_session=True,
        )
        self._exchanges = 0
        self._is_unused = asyncio.Event()
        self._is_unused.set()
        self.is_ended = False
        """Whether it is not started again, also if it crashes while it is ended."""
        self.error: OSError | None = None
        """Why it could not be started again after a crash."""

    async def start(self) -> None:
        """Start it, or raise OSError; a cancellation meanwhile leaves a process that `end` ends."""
        self._starting = asyncio.ensure_future(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._reports, self._lifeline = await asyncio.open_connection(sock=self._ours)
        output = asyncio.StreamReader()
        self._reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(self._pipe, "rb", 0)
        )
        self._logging = asyncio.ensure_future(self._log(output))
        await self.supervised.start()

    async def _log(self, output: asyncio.StreamReader) -> None:
        while data := await output.read(CHUNK):
            self._output.write(data)
        self._output.write(b"")

    @property
    def pid(self) -> int | None:
        """Process id of the last start."""
        return self.supervised.pid if self.supervised.proc else None

    @property
    def is_private(self) -> bool:
        """Whether no other user can replace the socket.

        What removes old temporary files could have removed the folder, and another user made it.
        """
        with contextlib.suppress(OSError):
            status = os.lstat(self._folder)
            is_own = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)
            return is_own and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return False

    @functools.cached_property
    def session(self) -> aiohttp.ClientSession:
        """A session with this process whose connections are used again."""
        # Without a limit: event streams stay open.
        connector = aiohttp.UnixConnector(self.socket, keepalive_timeout=KEEP_ALIVE, limit=0)
        return _session(connector)

    def session_for_one_request(self) -> aiohttp.ClientSession:
        """A session with this process each of whose connections is used once."""
        return _session(aiohttp.UnixConnector(self.socket, force_close=True))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the process up while a request is exchanged with it."""
        self._exchanges += 1
        self._is_unused.clear()
        try:
            yield
        finally:
            self._exchanges -= 1
            if not self._exchanges:
                self._is_unused.set()

    async def next_report(self) -> Report:
        while True:
            line = await self._reports.readline()
            if not line.strip():
                continue
            try:
                return reports.decode(line)
            except ValueError as error:  # of another version: the package was upgraded meanwhile
                _logger.warning("Ignored a report of MLflow (pid %s): %s", self.pid, error)

    async def watch(self, process: Any) -> None:
        """Log and report the end of `process`, which simpervisor has started."""
        code = await process.wait()
        with contextlib.suppress(OSError):  # there is none
            os.killpg(process.pid, signal.SIGKILL)  # the processes of MLflow's jobs
        _logger.info("MLflow ended (pid %s): %s", process.pid, describe_exit(code))
        if not self.is_ended:
            self.report_exit(code)

    def report_exit(self, code: int) -> None:
        """Report an exit where the process's own reports come, after the last of them."""
        self._theirs.sendall(b"\n" + reports.encode(Exited(code)))

    async def end(self, *, completes: bool, why: str = "") -> None:
        """End it, once the requests in flight are answered if `completes`; idempotent.

        Those may be uploads of hours, so they get the time that they need. A process that does not
        react is killed.
        """
        if self.is_ended:
            return
        self.is_ended = True
        if why:
            _logger.info("Stopping MLflow (pid %s): %s", self.pid, why)
        try:
            with contextlib.suppress(OSError):
                await self._starting
            if completes and self._exchanges and await self._retires():
                await self._is_unused.wait()
            await self._terminate()
        finally:
            await self._clean_up()

    async def _retires(self) -> bool:
        """Ask the process not to expect further requests; returns whether it reacts in time."""
        self.supervised.proc.send_signal(RETIRE)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._has_retired(), END_TIMEOUT)
            return True
        return False

    async def _has_retired(self) -> None:
        while not isinstance(await self.next_report(), Retired | Exited):
            pass

    async def _terminate(self) -> None:
        if self.supervised.proc is None:
            return
        ending = asyncio.ensure_future(self.supervised.terminate())
        if not (await asyncio.wait([ending], timeout=END_TIMEOUT))[0]:
            self.supervised.proc.send_signal(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, KilledProcessError):  # it has just ended
            await ending

    async def _clean_up(self) -> None:
        self.remove_folder()
        if watching := self.supervised.watching:
            await asyncio.wait([watching], timeout=OUTPUT_TIMEOUT)
            watching.cancel()
        if self.pid is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        if "session" in self.__dict__:
            await self.session.close()
        os.close(self._output_end)
        self._theirs.close()
        self._lifeline.close()
        # A process that MLflow started may still hold the pipe; its output is not waited for.
        await asyncio.wait([self._logging], timeout=OUTPUT_TIMEOUT)
        self._reading.close()

    def remove_folder(self) -> None:
        """Remove the folder of its socket; idempotent."""
        shutil.rmtree(self._folder, ignore_errors=True)


class _Supervised(SupervisedProcess):  # type: ignore[misc] # it has no types
    """A process of which `owner` watches each start, also one that ends at once."""

    proc: Any
    watching: asyncio.Future[None] | None = None

    def __init__(self, owner: MLflowProcess, *args: str, **kwargs: Any) -> None:
        super().__init__(NAME, *args, **kwargs)
        self._owner = owner

    async def start(self) -> None:
        """Start it, or raise OSError; simpervisor calls this after a crash as well."""
        if self._owner.is_ended:
            return
        before = self.proc
        try:
            await super().start()
        except OSError as error:
            self.proc = before
            if before is None:
                raise
            # It cannot be started again. Its end is reported first.
            self._owner.error = error
            asyncio.get_running_loop().call_soon(self._owner.report_exit, 0)
        else:
            self.watching = asyncio.ensure_future(self._owner.watch(self.proc))


def leave_signals_to_jupyter() -> None:
    """Keep simpervisor from replacing Jupyter's signal handlers, which clean up after Jupyter.

    All that simpervisor runs gets its SIGTERM when Jupyter has ended.
    """
    if not atexitasync.signal_handler_set:
        atexitasync.signal_handler_set = True
        atexit.register(_terminate_supervised, os.getpid())


def _terminate_supervised(owner: int) -> None:
    if os.getpid() != owner:  # a process that was forked from it
        return
    for handle_signal in [*atexitasync._handlers]:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            handle_signal(signal.SIGTERM)


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """A session that changes nothing of what it sends and receives."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        max_line_size=MAX_HEADER,
        max_field_size=MAX_HEADER,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )


def make_socket_folder() -> str:
    """Make a private folder whose path is short enough for a socket in it."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108
        if len(os.fsencode(parent)) <= MAX_FOLDER and os.access(parent, os.W_OK):
            return tempfile.mkdtemp(prefix=SOCKET_FOLDER, dir=parent)
    return tempfile.mkdtemp(prefix=SOCKET_FOLDER)


def describe_exit(code: int) -> str:
    """How a process ended, for a person; `code` is negative for a signal."""
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"


def jupyters_variables(names: Iterable[str]) -> list[str]:
    """Those of the variables `names` that MLflow does not get: Jupyter's, the hub's, kernels'."""
    return [name for name in names if JUPYTERS_VARIABLE.fullmatch(name)]
