"""MLflow is stopped when idle and restarted by the next use; no request is lost."""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from mlflow_proxy.addresses import IDLE_HEADER
from support.supervisor import PAGE, Connection, Supervisor, supervisor_of
from support.waiting import wait_for

POLL = {IDLE_HEADER: "1000"}
CLICK = {IDLE_HEADER: "0.2"}
IDLE = "--mlflow-option=--idle-timeout=0.3"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor whose child was stopped because it was idle."""
    with supervisor_of("serve", tmp_path) as running:
        stop(running)
        yield running


def stop(supervisor: Supervisor) -> None:
    """Make the child report that it is idle; wait until it has ended."""
    supervisor.wait_until("ready")
    child = supervisor.child
    supervisor.request("/report-idle")
    supervisor.wait_until("idle")
    wait_for(lambda: not child.is_running())


def test_idle_stop_leaves_only_the_small_supervisor(supervisor: Supervisor) -> None:
    process = psutil.Process(supervisor.process.pid)
    assert process.children() == []
    memory = process.memory_full_info()
    assert memory.pss < 20 * 2**20 if sys.platform == "linux" else memory.uss < 20 * 2**20
    lines = supervisor.log.read_text().splitlines()
    assert len([line for line in lines if " after 7 s without use" in line]) == 1


def test_opening_the_page_restarts_mlflow(supervisor: Supervisor) -> None:
    status, _, page = supervisor.request("/", headers=PAGE)
    assert (status, '<body data-state="starting"' in page) == (200, True)
    supervisor.wait_until("ready")


@pytest.mark.parametrize("headers", [CLICK, {}], ids=["click", "client"])
def test_request_is_held_until_mlflow_is_ready(
    supervisor: Supervisor, headers: dict[str, str]
) -> None:
    status, _, body = supervisor.request("/api/x", "POST", headers, "{}")
    assert (status, body) == (200, str(supervisor.child.pid))


def test_poll_does_not_restart_mlflow(supervisor: Supervisor) -> None:
    for path, headers in [("/api/x", POLL), ("/_proxy/status", {}), ("/static-files/x.js", {})]:
        status, answer, body = supervisor.request(path, "GET", headers)
        assert status == 200 if path == "/_proxy/status" else 503
        if status == 503:
            assert int(answer["Retry-After"]) >= 1
            assert "because it was not used" in json.loads(body)["message"]
    assert supervisor.status()["state"] == "idle"


def test_poll_is_held_during_a_restart(supervisor: Supervisor) -> None:
    supervisor.request("/", headers=PAGE)
    assert supervisor.request("/api/x", headers=POLL)[0] == 200


def test_held_requests_are_answered_when_the_restart_fails(tmp_path: Path) -> None:
    with supervisor_of("serve_once", tmp_path) as supervisor:
        stop(supervisor)
        status, headers, body = supervisor.request("/api/x")
        assert (status, json.loads(body)["message"]) == (503, "It is <broken>. Mend it.")
        assert int(headers["Retry-After"]) >= 1


def test_number_of_held_requests_is_bounded(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE, "--start-timeout=30") as supervisor:
        supervisor.wait_until("ready")
        first = supervisor.child
        supervisor.wait_until("idle")
        wait_for(lambda: not first.is_running())
        closed = tmp_path / "closed"
        closed.touch()
        threads = [WaitingClient(supervisor, 0.0) for _ in range(130)]
        for thread in threads:
            thread.start()
        wait_for(lambda: sum(not thread.is_alive() for thread in threads) == 30)
        memory = psutil.Process(supervisor.process.pid).memory_full_info().uss
        closed.unlink()
        for thread in threads:
            thread.join()
    assert Counter(thread.answer[:3] for thread in threads) == {"200": 100, "503": 30}
    assert memory < 40 * 2**20


def test_no_request_is_lost_between_stop_and_start(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE) as supervisor:
        supervisor.wait_until("ready")
        enough = threading.Event()
        answers: Counter[str] = Counter()

        def ask(seed: int) -> None:
            pauses = random.Random(seed)
            while not enough.is_set():
                time.sleep(pauses.choice([0.01, 0.1, 1.5]) * pauses.random())
                answers[slow_request(supervisor, pauses.random() * 0.1)] += 1

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(2)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: supervisor.log.read_text().count("without use") >= 6, 60)
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    assert set(answers) == {"200 and all of it"}, answers


class WaitingClient(threading.Thread):
    """A client that blocks until its request is answered."""

    def __init__(self, supervisor: Supervisor, pause: float) -> None:
        super().__init__()
        self._ask = partial(slow_request, supervisor, pause)

    def run(self) -> None:
        """Send the request; store the answer."""
        self.answer = self._ask()


def slow_request(supervisor: Supervisor, pause: float) -> str:
    """Connect, sleep for `pause` seconds, send a request; simulates a client under load."""
    connection = Connection(supervisor.socket)
    try:
        connection.connect()
        time.sleep(pause)
        connection.request("POST", "/api/x", b"x" * 200_000)
        response = connection.getresponse()
        text = response.read().decode()
    except (OSError, ValueError) as error:
        return repr(error)
    finally:
        connection.close()
    return f"{response.status} and {'all of it' if text.endswith(' read 200000') else text}"


def test_request_on_a_connection_accepted_before_the_stop_is_served(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE) as supervisor:
        supervisor.wait_until("ready")
        child = supervisor.child
        connection = Connection(supervisor.socket)
        connection.connect()
        supervisor.wait_until("idle")
        # Ten answers of the supervisor in a row: the child no longer accepts.
        wait_for(lambda: all(supervisor.status()["state"] == "idle" for _ in range(10)))
        connection.request("GET", "/api/x")
        assert connection.getresponse().read().decode().startswith(f"{child.pid} ")
        connection.close()
        wait_for(lambda: not child.is_running())


def test_answer_before_the_end_of_an_upload_arrives(supervisor: Supervisor) -> None:
    with socket.socket(socket.AF_UNIX) as upload:
        upload.connect(str(supervisor.socket))
        upload.sendall(b"POST /api/x HTTP/1.1\r\nContent-Length: 900000\r\n\r\n" + b"x" * 100_000)
        assert b"200 OK" in upload.recv(65536)


def test_long_request_completes_after_the_stop(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE) as supervisor:
        supervisor.wait_until("ready")
        with socket.socket(socket.AF_UNIX) as upload:
            upload.connect(str(supervisor.socket))
            lines = ["POST /api/x HTTP/1.1", "Host: x", "Content-Length: 4", f"{IDLE_HEADER}: 99"]
            upload.sendall("\r\n".join([*lines, "", "12"]).encode())
            supervisor.wait_until("idle")
            first = supervisor.child.pid
            # The next child serves before the first has ended.
            wait_for(lambda: not supervisor.request("/api/x")[2].startswith(f"{first} "))
            upload.sendall(b"34")
            assert b"has read 4" in b"".join(iter(lambda: upload.recv(65536), b""))
        wait_for(lambda: not psutil.pid_exists(first))
