"""Start a program, and leave nothing of it behind."""

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

# The interpreter's own programs (`jupyter`, `jupyterhub`), whatever the caller's PATH is.
BIN = Path(sys.executable).parent
END_TIMEOUT = 20.0  # seconds for a program and all that it started to end


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment with nothing of the caller's Jupyter and MLflow, and folders below `home`."""
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
        # Telemetry would look for hosts that a test machine does not reach.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **(extra or {}),
    }


@contextmanager
def running(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command`; at the end ask it to end, and assert that all it started ends with it."""
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
    """The process `pid` and all that descend from it."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def processes_of(home: Path) -> list[psutil.Process]:
    """All processes whose home is `home` or below it, whoever started them."""
    found = []
    for process in psutil.process_iter():
        try:
            own_home = process.environ().get("HOME", "")
        except psutil.Error:  # it is another user's, or has just ended
            continue
        if Path(own_home).is_relative_to(home):
            found.append(process)
    return found


def command_of(process: psutil.Process) -> list[str]:
    """The command line of `process`; none once it has ended, which it may do at any moment."""
    try:
        return process.cmdline()
    except psutil.Error:  # a zombie is one, too
        return []


def describe(process: psutil.Process) -> str:
    """The command line of `process`, for a message."""
    return " ".join(command_of(process)) or str(process)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
