"""`prestart`: MLflow starts before the first click, with Jupyter or when a kernel imports it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mlflow_proxy import prestart
from mlflow_proxy.addresses import IMPORT_NOTICE
from mlflow_proxy.notebook import import_notice
from support.lab import PAGE, Lab, lab_server
from support.processes import command_of, family_of
from support.waiting import wait_for

StartLab = Callable[..., Lab]

# Imports MLflow, then counts the notices of a child that uses it as well.
IMPORT = f"""
import mlflow, os, socket
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setblocking(False)
receiver.bind(("127.0.0.1", 0))
os.environ["{IMPORT_NOTICE}"] = f"{{receiver.getsockname()[1]}} token"
if not (child := os.fork()):
    import mlflow
    mlflow.MlflowClient()
    os._exit(0)
os.waitpid(child, 0)
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
def notice(kernel_lab: Lab) -> tuple[int, bytes]:
    """The port that takes notice of imports, and the token of a notice."""
    port, token = kernel_lab.kernel_variables()[IMPORT_NOTICE].split()
    return int(port), token.encode()


def test_mlflow_is_ready_before_the_first_click(start_lab: StartLab) -> None:
    of_another_jupyter = {IMPORT_NOTICE: "1 token"}
    lab = start_lab(config="c.MLflowProxy.prestart = True", env=of_another_jupyter)
    mlflow = wait_for(lambda: mlflow_of(lab), 30, f"MLflow was not started, see {lab.log}")
    # A thread of low priority imports MLflow; another thread serves.
    if sys.platform == "linux":
        wait_for(lambda: 10 in niceness_of_threads(mlflow))
    wait_for(lambda: times_ready(lab), 90)
    assert os.getpriority(os.PRIO_PROCESS, mlflow.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert "<title>MLflow</title>" in lab.get("/", headers=PAGE).text
    assert lab.status()["state"] == "ready"
    assert lab.mlflow == mlflow
    assert IMPORT_NOTICE not in lab.kernel_variables()


@pytest.mark.release
def test_a_kernel_that_imports_mlflow_starts_it(kernel_lab: Lab) -> None:
    assert not kernel_lab.mlflow_log.exists()  # although a kernel was started
    assert kernel_lab.run_in_kernel(IMPORT).split() == ["0"]
    wait_for(lambda: times_ready(kernel_lab), 90)
    assert "<title>MLflow</title>" in kernel_lab.get("/", headers=PAGE).text
    assert mlflow_of(kernel_lab) == kernel_lab.mlflow


def test_a_flood_starts_it_once_and_is_no_activity(
    kernel_lab: Lab, notice: tuple[int, bytes]
) -> None:
    port, token = notice
    wait_for(lambda: "without use" in kernel_lab.mlflow_log.read_text(), 30)
    wait_for(lambda: mlflow_of(kernel_lab) is None)
    before = last_activity(kernel_lab)
    # What another user of the machine could send, who does not know the token.
    flood(port, b"", b"x" * 100_000, token[:-1], token + b"x", b"\xff" * 32)
    kernel_lab.get("/_proxy/status")
    assert mlflow_of(kernel_lab) is None
    wait_for(lambda: send(port, token) or mlflow_of(kernel_lab))
    flood(port, token)
    wait_for(lambda: times_ready(kernel_lab) == 2, 90)
    assert kernel_lab.mlflow_log.read_text().count("Started MLflow") == 2
    assert mlflow_of(kernel_lab) == kernel_lab.mlflow
    assert last_activity(kernel_lab) == before


def test_a_notice_that_reaches_no_jupyter_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as full:
        full.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ended:
            ended.bind(("127.0.0.1", 0))
            closed = ended.getsockname()[1]
        port = full.getsockname()[1]
        for value in (
            f"{port} token",
            f"{closed} token",
            "0 token",
            "99999 x",
            "x y",
            "/tmp/x",
            "",
        ):
            monkeypatch.setenv(IMPORT_NOTICE, value)
            assert min(seconds_of_notice() for _ in range(600)) < 0.001, value
        assert full.recv(100) == b"token"  # the good case
    monkeypatch.delenv(IMPORT_NOTICE)
    import_notice.send()


def seconds_of_notice() -> float:
    """What a notice takes."""
    began = time.perf_counter()
    import_notice.send()
    return time.perf_counter() - began


def send(port: int, *datagrams: bytes) -> None:
    """Send datagrams to a port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for each in datagrams:
            with suppress(OSError):  # the queue is full, or it is too long
                sender.sendto(each, ("127.0.0.1", port))


# The files of a machine with 8 GB free, and of a cgroup around Jupyter's.
MACHINE = {"proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable:   8000000 kB\n"}
OF_2 = {"proc/self/cgroup": "0::/pod/user\n"}
OF_1 = {"proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n"}
NO_LIMIT = {
    "sys/fs/cgroup/pod/user/memory.max": "max\n",
    "sys/fs/cgroup/pod/user/memory.current": "5\n",
    "sys/fs/cgroup/pod/user/memory.stat": "inactive_file 1\n",
}
AROUND = {
    "sys/fs/cgroup/pod/memory.max": "3000000000\n",
    "sys/fs/cgroup/pod/memory.current": "2500000000\n",
    "sys/fs/cgroup/pod/memory.stat": "anon 7\ninactive_file 400000000\n",
}
ROOT_OF_1 = {  # what a container sees of its own
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000000\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": "300000000\n",
    "sys/fs/cgroup/memory/memory.stat": "inactive_file 5\ntotal_inactive_file 50000000\n",
}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, float("inf")),
        (MACHINE, 8_192_000_000),
        ({**MACHINE, **OF_2}, 8_192_000_000),
        ({**MACHINE, **OF_2, **NO_LIMIT}, 8_192_000_000),
        ({**MACHINE, **OF_2, **NO_LIMIT, **AROUND}, 900_000_000),
        ({**MACHINE, **OF_1, **ROOT_OF_1}, 700_000_005),
    ],
)
def test_free_memory_is_that_of_the_machine_and_of_the_cgroups(
    tmp_path: Path, files: dict[str, str], free: float
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert prestart.free_memory(tmp_path) == free


@pytest.mark.parametrize(
    ("variables", "enough", "listens"),
    [({}, 0.5, True), ({}, 2.0, False), ({"JUPYTERHUB_SERVICE_PREFIX": "/"}, 0.5, False)],
)
def test_auto_listens_where_the_machine_is_ones_own_and_has_memory(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], enough: float, listens: bool
) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(prestart, "MIN_FREE", prestart.free_memory() * enough)
    assert (prestart.chosen("auto") == "kernel") is listens
    assert prestart.chosen(True) is True  # as it was set


def flood(port: int, *datagrams: bytes) -> None:
    """Send datagrams, more than the socket takes."""
    send(port, *datagrams * 5000)


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
