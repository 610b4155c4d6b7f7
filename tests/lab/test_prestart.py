"""`prestart`: MLflow starts before the first click, with Jupyter or when a kernel imports it."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mlflow_proxy.addresses import IMPORT_SOCKET
from mlflow_proxy.notebook import import_notice
from support.lab import PAGE, Lab, lab_server
from support.processes import command_of, family_of
from support.waiting import wait_for

StartLab = Callable[..., Lab]

# Imports MLflow, then counts the notices of a child that uses it as well.
IMPORT = f"""
import mlflow, os, socket
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setblocking(False)
receiver.bind("counted")
os.environ["{IMPORT_SOCKET}"] = os.path.abspath("counted")
if not (child := os.fork()):
    import mlflow
    mlflow.MlflowClient()
    os._exit(0)
os.waitpid(child, 0)
os.unlink("counted")
count = 0
try:
    while receiver.recv(1):
        count += 1
except BlockingIOError:
    print(count)
"""


@pytest.fixture(scope="module")
def kernel_lab(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Lab]:
    """A Lab whose kernels start MLflow."""
    config = "c.MLflowProxy.prestart = 'kernel'\nc.MLflowProxy.idle_timeout = 5"
    home = tmp_path_factory.mktemp("prestart")
    with lab_server(home, config=config, database=new_database) as lab:
        yield lab


@pytest.fixture(scope="module")
def path(kernel_lab: Lab) -> Path:
    """The socket that takes notice of imports."""
    return Path(kernel_lab.kernel_variables()[IMPORT_SOCKET])


def test_mlflow_is_ready_before_the_first_click(start_lab: StartLab) -> None:
    of_another_jupyter = {IMPORT_SOCKET: "/tmp/kernel"}
    lab = start_lab(config="c.MLflowProxy.prestart = True", env=of_another_jupyter)
    mlflow = wait_for(lambda: mlflow_of(lab), 30, f"MLflow was not started, see {lab.log}")
    # A thread of low priority imports MLflow; another thread serves.
    if sys.platform == "linux":
        wait_for(lambda: 10 in niceness_of_threads(mlflow))
    wait_for(lambda: times_ready(lab), 90)
    assert os.getpriority(os.PRIO_PROCESS, mlflow.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert "<title>MLflow</title>" in lab.get("/", headers=PAGE).text
    assert lab.status() == {"state": "ready"}
    assert lab.mlflow == mlflow
    assert IMPORT_SOCKET not in lab.kernel_variables()


@pytest.mark.release
def test_a_kernel_that_imports_mlflow_starts_it(kernel_lab: Lab, path: Path) -> None:
    assert path.is_socket()
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert not kernel_lab.mlflow_log.exists()  # although a kernel was started
    assert kernel_lab.run_in_kernel(IMPORT).split() == ["0"]
    wait_for(lambda: times_ready(kernel_lab), 90)
    assert "<title>MLflow</title>" in kernel_lab.get("/", headers=PAGE).text
    assert mlflow_of(kernel_lab) == kernel_lab.mlflow


def test_a_flood_starts_it_once_and_is_no_activity(kernel_lab: Lab, path: Path) -> None:
    wait_for(lambda: "without use" in kernel_lab.mlflow_log.read_text(), 30)
    wait_for(lambda: mlflow_of(kernel_lab) is None)
    before = last_activity(kernel_lab)
    flood(path)
    wait_for(lambda: times_ready(kernel_lab) == 2, 90)
    assert kernel_lab.mlflow_log.read_text().count("Started MLflow") == 2
    assert mlflow_of(kernel_lab) == kernel_lab.mlflow
    assert last_activity(kernel_lab) == before


def test_a_killed_jupyter_leaves_no_socket(kernel_lab: Lab, path: Path) -> None:
    kernel_lab.process.kill()
    wait_for(lambda: not path.parent.exists())


def test_a_notice_that_reaches_no_jupyter_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a short path
    (tmp_path / "file").touch()
    os.mkfifo("pipe")
    with contextlib.ExitStack() as stack:
        for name, kind in (("dead", socket.SOCK_DGRAM), ("stream", socket.SOCK_STREAM)):
            stack.enter_context(bound(name, kind))
        full = stack.enter_context(bound("full", socket.SOCK_DGRAM))
        with bound("ended", socket.SOCK_DGRAM):
            pass
        for where in ("full", "ended", "stream", "file", "pipe", ".", "/nowhere/x", "x" * 200, ""):
            monkeypatch.setenv(IMPORT_SOCKET, where)
            assert min(seconds_of_notice() for _ in range(600)) < 0.001, where
        assert full.recv(100)  # the good case
    monkeypatch.delenv(IMPORT_SOCKET)
    import_notice.send()


@contextlib.contextmanager
def bound(name: str, kind: socket.SocketKind) -> Iterator[socket.socket]:
    """A socket at `name` that is not read."""
    with socket.socket(socket.AF_UNIX, kind) as result:
        result.bind(name)
        yield result


def seconds_of_notice() -> float:
    """What a notice takes."""
    began = time.perf_counter()
    import_notice.send()
    return time.perf_counter() - began


def flood(path: Path) -> None:
    """Send datagrams of all sizes, more than the socket takes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for size in (0, 1, 100_000) * 5000:
            with suppress(BlockingIOError):
                sender.sendto(b"\xff" * size, str(path))


def last_activity(lab: Lab) -> str:
    """What a hub's idle culler goes by."""
    return lab.session.get(f"{lab.url}/api/status", timeout=30).json()["last_activity"]


def times_ready(lab: Lab) -> int:
    """How many times MLflow was started."""
    return lab.mlflow_log.read_text().count("MLflow is ready") if lab.mlflow_log.exists() else 0


def mlflow_of(lab: Lab) -> psutil.Process | None:
    """MLflow, if it was started at low priority."""
    for process in family_of(lab.process.pid):
        command = command_of(process)
        if "--background" in command and "-m" not in command:
            return process
    return None


def niceness_of_threads(process: psutil.Process) -> set[int]:
    """The priorities of its threads."""
    found = set()
    for thread in process.threads():
        with suppress(ProcessLookupError):  # the thread has just ended
            found.add(os.getpriority(os.PRIO_PROCESS, thread.id))
    return found
