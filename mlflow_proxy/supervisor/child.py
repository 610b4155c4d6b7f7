"""The MLflow process, as its parent sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .logs import MLflowOutput

TERMINATE_TIMEOUT = 5.0  # seconds from asking to forcing

Report = dict[str, Any]


@dataclass(frozen=True)
class MLflowCommand:
    """How to start MLflow: the program, to which two descriptors are added, and its folder."""

    program: tuple[str, ...]
    folder: Path


class MLflowChild:
    """One MLflow process.

    It inherits the listening socket and one end of a socket pair: on it the process reports, a line
    of JSON at a time, and by its end-of-file the process learns that the supervisor is gone,
    however that happened.
    """

    def __init__(
        self,
        process: Process,
        reports: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        output: MLflowOutput,
    ) -> None:
        self._process = process
        self._reports, self._lifeline = reports
        self._reading = asyncio.ensure_future(self._read_output(output))

    @classmethod
    async def start(
        cls,
        command: MLflowCommand,
        listener: socket.socket,
        output: MLflowOutput,
        *options: str,
    ) -> MLflowChild:
        """Start MLflow, with more `options` for its program.

        Raises:
            OSError: there is no such program, or it cannot be run.
        """
        ours, theirs = socket.socketpair()
        reports = await asyncio.open_connection(sock=ours)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *command.program,
                    f"--listener={listener.fileno()}",
                    f"--reports={theirs.fileno()}",
                    *options,
                    cwd=command.folder,
                    stdin=DEVNULL,
                    stdout=PIPE,
                    stderr=STDOUT,
                    pass_fds=(listener.fileno(), theirs.fileno()),
                    # Ctrl-C in Jupyter's terminal is for Jupyter to answer.
                    start_new_session=True,
                )
        except BaseException:
            reports[1].close()
            raise
        return cls(process, reports, output)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def was_killed(self) -> bool:
        """Whether a signal has ended it: the kernel's, out of memory, or anybody's."""
        return self._process.returncode is not None and self._process.returncode < 0

    @property
    def end(self) -> str:
        """How the process has ended, for a person."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"exit code {code}"
        return f"signal {-code} ({signal.strsignal(-code)})"

    async def next_report(self) -> Report | None:
        """Wait for what the process reports next; None when it has ended."""
        try:
            return dict(json.loads(await self._reports.readline()))
        except (ValueError, TypeError, ConnectionError):  # nothing, or half a line: it was killed
            return None

    async def wait(self) -> int:
        """Wait for the process to end and its output to be read; returns its exit code."""
        returncode = await self._process.wait()
        # Something that the process started may still hold the pipe: its output is not waited for.
        await asyncio.wait([self._reading], timeout=1.0)
        self._reading.cancel()
        self._lifeline.close()
        return returncode

    async def finish(self) -> int:
        """Ask the process to end once it has answered what it accepted; returns its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        return await self.wait()

    async def terminate(self) -> int:
        """Ask the process to end, after `TERMINATE_TIMEOUT` make it; returns its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        # Not `wait_for`: until Python 3.12 it swallows a cancellation that comes with the result.
        ended = asyncio.ensure_future(self._process.wait())
        if not (await asyncio.wait([ended], timeout=TERMINATE_TIMEOUT))[0]:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        return await self.wait()

    async def _read_output(self, output: MLflowOutput) -> None:
        assert self._process.stdout is not None  # noqa: S101 (a pipe was asked for)
        while data := await self._process.stdout.read(4096):
            output.write(data)
        output.write(b"")
