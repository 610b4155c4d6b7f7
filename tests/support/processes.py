"""Start a program and assert that none of its processes survives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

# The interpreter's own programs (`jupyter`, `jupyterhub`), independent of the caller's PATH.
BIN = Path(sys.executable).parent
END_TIMEOUT = 20.0  # seconds for a program and its descendants to end


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without the caller's Jupyter and MLflow variables; folders are in `home`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "MLFLOW", "_MLFLOW", "XDG_", "PYTEST"))
    }
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "TMPDIR": str(temporary),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        # Telemetry would look up hosts that a test machine cannot reach.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **(extra or {}),
    }


@contextmanager
def running(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command`; send SIGTERM at the end and assert that no descendant survives."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    family: list[psutil.Process] = []
    try:
        yield process
        family = family_of(process.pid)
    finally:
        family = family or family_of(process.pid)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        survivors = psutil.wait_procs(family, timeout=END_TIMEOUT)[1]
        left_behind = [describe(survivor) for survivor in survivors]
        for survivor in survivors:
            survivor.kill()
        process.wait()
    assert not left_behind, f"left behind: {left_behind}"


def family_of(pid: int) -> list[psutil.Process]:
    """The process `pid` and its descendants."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def processes_of(home: Path) -> list[psutil.Process]:
    """All processes whose HOME is `home` or below it."""
    found = []
    for process in psutil.process_iter():
        try:
            own_home = process.environ().get("HOME", "")
        except psutil.Error:  # another user's, or just ended
            continue
        if Path(own_home).is_relative_to(home):
            found.append(process)
    return found


def command_of(process: psutil.Process) -> list[str]:
    """The command line of `process`; empty if it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:  # including zombies
        return []


def describe(process: psutil.Process) -> str:
    """The command line of `process`, for a message."""
    return " ".join(command_of(process)) or str(process)


def free_ports(count: int) -> list[int]:
    """Unused ports of 127.0.0.1."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
