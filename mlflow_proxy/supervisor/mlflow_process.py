"""The MLflow process, as its parent sees it."""

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_proxy.shared import reports

from .logs import MLflowOutput

TERMINATE_TIMEOUT = 5.0  # seconds between SIGTERM and SIGKILL
OUTPUT_TIMEOUT = 1.0  # seconds to read the output of a process that has ended

_logger = logging.getLogger(__name__)


# Of the Jupyter server, a hub's single-user server and a hub's proxy.
JUPYTERS_SECRET = re.compile(
    r"(?:JUPYTER|JPY|CONFIGPROXY).*(?:TOKEN|SECRET|PASSWORD|PASSPHRASE|KEY|COOKIE)"
)


@dataclass(frozen=True)
class MLflowCommand:
    """How to start MLflow; two descriptors are added to the program's arguments."""

    program: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    umask: int
    """The user's own: what MLflow writes has the same mode as what kernels write."""
    misconfiguration: reports.Failure | None = None
    """Why MLflow must not be started with the settings as they are."""


class MLflowProcess:
    """One MLflow process.

    It inherits the listening socket and one end of a socket pair. It sends its reports over the
    pair, and learns by end-of-file that the supervisor is gone, also if it was killed.
    """

    def __init__(
        self,
        process: Process,
        reports_pair: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        output: MLflowOutput,
    ) -> None:
        self._process = process
        self._reports, self._lifeline = reports_pair
        self._reading = asyncio.ensure_future(self._read_output(output))

    @classmethod
    async def start(
        cls,
        command: MLflowCommand,
        listener: socket.socket,
        output: MLflowOutput,
        *options: str,
    ) -> "MLflowProcess":
        """Start MLflow with additional `options`.

        Raises:
            OSError: the program does not exist or cannot be run.
        """
        ours, theirs = socket.socketpair()
        reports_pair = await asyncio.open_connection(sock=ours)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *command.program,
                    f"--listener={listener.fileno()}",
                    f"--reports={theirs.fileno()}",
                    *options,
                    cwd=command.folder,
                    env=command.environment,
                    umask=command.umask,
                    stdin=DEVNULL,
                    stdout=PIPE,
                    stderr=STDOUT,
                    pass_fds=(listener.fileno(), theirs.fileno()),
                    # Ctrl-C in Jupyter's terminal is for Jupyter to handle.
                    start_new_session=True,
                )
        except BaseException:
            reports_pair[1].close()
            raise
        return cls(process, reports_pair, output)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, e.g. SIGKILL when memory ran out."""
        return self._process.returncode is not None and self._process.returncode < 0

    async def next_report(self) -> reports.Report | None:
        """Wait for the next report; None when the process has ended. Warnings are logged."""
        while True:
            try:
                line = await self._reports.readline()
            except (ValueError, ConnectionError):
                return None
            if not line.endswith(b"\n"):  # end-of-file, possibly in the middle of a report
                return None
            try:
                report = reports.decode(line)
            except ValueError as error:  # of another version: the package was upgraded meanwhile
                _logger.warning("Ignored a report of MLflow (pid %d): %s", self.pid, error)
                continue
            if not isinstance(report, reports.Warned):
                return report
            _logger.warning(report.message)

    async def hand_over(self, timeout: float = TERMINATE_TIMEOUT) -> bool:
        """Ask MLflow, which was ready, to leave its socket to the supervisor.

        Returns whether it does within `timeout` seconds; it then completes its requests.
        """
        self._lifeline.write(reports.HAND_OVER)
        leaving = asyncio.ensure_future(self._is_leaving())
        try:
            done, _ = await asyncio.wait([leaving], timeout=timeout)
            return bool(done) and leaving.result()
        finally:
            leaving.cancel()

    async def _is_leaving(self) -> bool:
        leaves = reports.HandedOver | reports.Idle | reports.StoreReplaced
        while report := await self.next_report():
            if isinstance(report, leaves):
                return True
        return False

    async def wait(self) -> int:
        """Wait for the end and the output; returns the exit code, negative for a signal."""
        returncode = await self._process.wait()
        with contextlib.suppress(OSError):  # there is none
            os.killpg(self.pid, signal.SIGKILL)  # the processes of MLflow's jobs
        # A process that MLflow started may still hold the pipe; its output is not waited for.
        await asyncio.wait([self._reading], timeout=OUTPUT_TIMEOUT)
        self._reading.cancel()
        self._lifeline.close()
        return returncode

    async def terminate(self, timeout: float | None = TERMINATE_TIMEOUT) -> int:
        """Send SIGTERM, then SIGKILL after `timeout` seconds, None: never. Idempotent.

        Returns the exit code, as `wait` does.
        """
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes with the result.
        ended = asyncio.ensure_future(self._process.wait())
        if not (await asyncio.wait([ended], timeout=timeout))[0]:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        return await self.wait()

    async def _read_output(self, output: MLflowOutput) -> None:
        assert self._process.stdout is not None  # noqa: S101 (a pipe was asked for)
        while data := await self._process.stdout.read(4096):
            output.write(data)
        output.write(b"")


def without_jupyters_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what opens Jupyter or JupyterHub, for MLflow and what it starts."""
    return {name: value for name, value in environment.items() if not JUPYTERS_SECRET.match(name)}
