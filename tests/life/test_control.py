"""The supervisor's own socket: what MLflow does, and to stop, start and restart it in any state."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlflow_proxy.addresses import (
    CONTROL,
    CONTROL_PRESTART,
    CONTROL_RESTART,
    CONTROL_SOCKET,
    CONTROL_START,
    CONTROL_STOP,
    WAIT,
)
from mlflow_proxy.supervisor.mlflow_process import TERMINATE_TIMEOUT
from support.supervisor import Connection, Supervisor, supervisor_of
from support.waiting import wait_for

DEADLINE = 15.0  # seconds: twice five of the supervisor, and what a busy machine takes
IDLE = "--mlflow-option=--idle-timeout=0.3"


def wait_until(supervisor: Supervisor, state: str) -> dict[str, Any]:
    return wait_for(lambda: (found := supervisor.control())["state"] == state and found)


def has_ended(supervisor: Supervisor) -> bool:
    return (
        supervisor.control()["pid"] is None
        and not psutil.Process(supervisor.process.pid).children()
    )


def has_been_ready(supervisor: Supervisor, count: int) -> bool:
    return supervisor.log.read_text().count("MLflow is ready") == count


class HeldRequest:
    """A request that waits for MLflow's start."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._connection = Connection(supervisor.socket)
        self._connection.request("GET", "/api/x", headers=dict([WAIT]))
        for _ in range(3):  # the supervisor answers these later than it reads the one above
            supervisor.status()

    def answer(self) -> tuple[int, str]:
        """Wait for the answer; returns status and body."""
        try:
            response = self._connection.getresponse()
            return response.status, response.read().decode()
        finally:
            self._connection.close()


def test_a_start_is_told_and_can_be_stopped_and_restarted(tmp_path: Path) -> None:
    began = time.time()
    with supervisor_of("hang", tmp_path, "--start-timeout=60") as supervisor:
        child = supervisor.child
        starting = wait_for(lambda: (found := supervisor.control())["memory"] and found)
        assert starting["state"] == "starting"
        assert starting["pid"] == child.pid
        assert 2**20 < starting["memory"] < 2**30
        assert began - 1 < starting["since"] < time.time()
        assert 0 <= starting["progress"] < 1
        wait_for(lambda: supervisor.control()["text"] == "Loading MLflow")
        held = HeldRequest(supervisor)
        stopped = supervisor.control(CONTROL_STOP)
        assert (stopped["state"], stopped["text"]) == ("idle", "Stopped by the user")
        assert stopped["since"] > starting["since"]
        assert stopped["progress"] is None
        wait_for(lambda: has_ended(supervisor))
        status, message = held.answer()
        assert (status, "MLflow is stopped by the user." in message) == (503, True)

        supervisor.control(CONTROL_START)
        wait_until(supervisor, "starting")
        second = wait_for(lambda: supervisor.control()["pid"])
        assert supervisor.control(CONTROL_RESTART)["state"] == "starting"
        wait_for(lambda: supervisor.control()["pid"] not in (None, second))
        wait_for(lambda: not psutil.pid_exists(second))
        assert supervisor.control()["state"] == "starting"


def test_requests_that_wait_for_a_start_outlive_its_restart(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.touch()
    with supervisor_of("uvicorn_app", tmp_path, "--start-timeout=60") as supervisor:
        first = supervisor.child.pid
        held = HeldRequest(supervisor)
        supervisor.control(CONTROL_RESTART)
        closed.unlink()
        status, body = held.answer()
        assert (status, body.startswith(f"{first} ")) == (200, False)


def test_a_stop_completes_requests_and_the_next_use_starts_mlflow(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path) as supervisor:
        ready = wait_until(supervisor, "ready")
        assert (ready["pid"], ready["progress"]) == (supervisor.child.pid, None)
        supervisor.wait_until("ready")
        with socket.socket(socket.AF_UNIX) as upload:
            upload.connect(str(supervisor.socket))
            upload.sendall(b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n12")
            # MLflow has accepted it.
            assert supervisor.request("/api/y")[2].startswith(f"{ready['pid']} ")
            stopped = supervisor.control(CONTROL_STOP)
            assert (stopped["state"], stopped["pid"]) == ("idle", ready["pid"])
            assert supervisor.control(CONTROL_STOP)["since"] == stopped["since"]
            # It has longer than a process that hangs.
            wait_for(lambda: time.time() > stopped["since"] + TERMINATE_TIMEOUT + 1)
            upload.sendall(b"34")
            assert b"has read 4" in b"".join(iter(lambda: upload.recv(65536), b""))
        wait_for(lambda: has_ended(supervisor), DEADLINE)
        assert supervisor.status()["state"] == "idle"
        status, _, body = supervisor.request("/api/x")
        assert (status, body.startswith(f"{supervisor.child.pid} ")) == (200, True)
        assert wait_until(supervisor, "ready")["since"] > stopped["since"]


def test_no_request_is_lost_by_restarts(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, "--start-timeout=30") as supervisor:
        supervisor.wait_until("ready")
        enough = threading.Event()
        answers: Counter[int] = Counter()
        pids = set()

        def send() -> None:
            while not enough.is_set():
                status, _, body = supervisor.request("/api/x", "POST", body="x" * 100_000)
                answers[status] += 1
                pids.add(body.split()[0])

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for count in (2, 3, 4):
                supervisor.control(CONTROL_RESTART)
                wait_for(partial(has_been_ready, supervisor, count))
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    assert set(answers) == {200}
    assert len(pids) > 2


def test_an_mlflow_that_hangs_is_killed_and_another_serves(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, "--start-timeout=30") as supervisor:
        supervisor.wait_until("ready")
        child = supervisor.child
        child.send_signal(signal.SIGSTOP)
        supervisor.control(CONTROL_STOP)
        assert supervisor.request("/api/x")[2].split()[0] not in ("", str(child.pid))
        wait_for(lambda: not child.is_running(), DEADLINE)
        ended = f"MLflow ended (pid {child.pid}): signal 9 (Killed)"
        wait_for(lambda: ended in supervisor.log.read_text())


def test_a_failure_is_told_and_only_a_start_does_something(tmp_path: Path) -> None:
    with supervisor_of("failing", tmp_path) as supervisor:
        failed = wait_until(supervisor, "failed")
        assert (failed["text"], failed["remedy"]) == ("It is <broken>.", "Mend it.")
        assert supervisor.control(CONTROL_STOP)["state"] == "failed"
        (tmp_path / "mended").touch()
        assert supervisor.control(CONTROL_START)["state"] == "starting"
        wait_until(supervisor, "ready")


def test_an_idle_stop_is_told_and_a_question_wakes_nothing(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE) as supervisor:
        idle = wait_until(supervisor, "idle")
        assert idle["text"] == "Stopped after 0.3 s without use"
        wait_for(lambda: has_ended(supervisor), DEADLINE)
        for path in (CONTROL, CONTROL_STOP):
            assert supervisor.control(path)["since"] == idle["since"]


@pytest.mark.parametrize("path", ["/", "/_proxy/status", f"{CONTROL}/x"])
def test_nothing_else_is_on_the_socket(tmp_path: Path, path: str) -> None:
    with supervisor_of("hang", tmp_path) as supervisor:
        connection = Connection(supervisor.socket.with_name(CONTROL_SOCKET))
        connection.request("POST", path)
        assert connection.getresponse().status == 404
        connection.close()


def test_a_start_before_use_follows_an_idle_stop_only(tmp_path: Path) -> None:
    with supervisor_of("serve", tmp_path) as supervisor:
        wait_until(supervisor, "ready")
        assert supervisor.control(CONTROL_PRESTART)["state"] == "ready"
        supervisor.control(CONTROL_STOP)
        wait_for(lambda: has_ended(supervisor))
        assert supervisor.control(CONTROL_PRESTART)["state"] == "idle"
        for action, has_low_priority in ((CONTROL_PRESTART, True), (CONTROL_START, False)):
            supervisor.control(CONTROL_START)
            wait_until(supervisor, "ready")
            supervisor.request("/report-idle")
            wait_until(supervisor, "idle")
            wait_for(lambda: has_ended(supervisor))
            supervisor.control(action)
            wait_until(supervisor, "ready")
            assert ("--background" in supervisor.child.cmdline()) is has_low_priority
