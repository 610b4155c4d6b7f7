"""MLflow stopped when nobody uses it, and brought back by the next use, with no request lost."""

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

from mlflow_proxy.shared.addresses import IDLE_HEADER
from support.supervisor import PAGE, Connection, Supervisor, supervisor_of
from support.waiting import wait_for

POLL = {IDLE_HEADER: "1000"}
CLICK = {IDLE_HEADER: "0.2"}
IDLE = "--mlflow-option=--idle-timeout=0.3"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor whose child was stopped because nobody used it."""
    with supervisor_of("serve", tmp_path) as running:
        stop(running)
        yield running


def stop(supervisor: Supervisor) -> None:
    """Let the child find that nobody uses it."""
    supervisor.wait_until("ready")
    child = supervisor.child
    supervisor.request("/report-idle")
    supervisor.wait_until("idle")
    wait_for(lambda: not child.is_running())


def test_an_idle_stop_leaves_little(supervisor: Supervisor) -> None:
    process = psutil.Process(supervisor.process.pid)
    assert process.children() == []
    memory = process.memory_full_info()
    assert memory.pss < 20 * 2**20 if sys.platform == "linux" else memory.uss < 20 * 2**20
    lines = supervisor.log.read_text().splitlines()
    assert len([line for line in lines if " after 7 s without use" in line]) == 1


def test_a_page_opened_brings_it_back(supervisor: Supervisor) -> None:
    status, _, page = supervisor.request("/", headers=PAGE)
    assert (status, '<body data-state="starting"' in page) == (200, True)
    supervisor.wait_until("ready")


@pytest.mark.parametrize("headers", [CLICK, {}], ids=["click", "client"])
def test_a_use_is_held_until_it_is_back(supervisor: Supervisor, headers: dict[str, str]) -> None:
    status, _, body = supervisor.request("/api/x", "POST", headers, "{}")
    assert (status, body) == (200, str(supervisor.child.pid))


def test_a_poll_does_not_bring_it_back(supervisor: Supervisor) -> None:
    for path, headers in [("/api/x", POLL), ("/_proxy/status", {}), ("/static-files/x.js", {})]:
        status, answer, body = supervisor.request(path, "GET", headers)
        assert status == 200 if path == "/_proxy/status" else 503
        if status == 503:
            assert int(answer["Retry-After"]) >= 1
            assert "because it was not used" in json.loads(body)["message"]
    assert supervisor.status()["state"] == "idle"


def test_a_poll_waits_with_the_others_once_it_comes_back(supervisor: Supervisor) -> None:
    supervisor.request("/", headers=PAGE)
    assert supervisor.request("/api/x", headers=POLL)[0] == 200


def test_held_requests_are_answered_when_it_does_not_come_back(tmp_path: Path) -> None:
    with supervisor_of("serve_once", tmp_path) as supervisor:
        stop(supervisor)
        status, headers, body = supervisor.request("/api/x")
        assert (status, json.loads(body)["message"]) == (503, "It is <broken>. Mend it.")
        assert int(headers["Retry-After"]) >= 1


def test_it_holds_so_many_and_no_more(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE, "--start-timeout=30") as supervisor:
        supervisor.wait_until("ready")
        first = supervisor.child
        supervisor.wait_until("idle")
        wait_for(lambda: not first.is_running())
        closed = tmp_path / "closed"
        closed.touch()
        threads = [Asking(supervisor, 0.0) for _ in range(130)]
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


class Asking(threading.Thread):
    """Somebody who waits for an answer."""

    def __init__(self, supervisor: Supervisor, pause: float) -> None:
        super().__init__()
        self._ask = partial(slow_request, supervisor, pause)

    def run(self) -> None:
        """Wait."""
        self.answer = self._ask()


def slow_request(supervisor: Supervisor, pause: float) -> str:
    """Send a request as a machine under load does: some time passes after the connection."""
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


def test_a_connection_accepted_before_the_stop_brings_its_request_after_it(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE) as supervisor:
        supervisor.wait_until("ready")
        child = supervisor.child
        connection = Connection(supervisor.socket)
        connection.connect()
        supervisor.wait_until("idle")
        # It no longer accepts when it is the supervisor who answers, ten times over.
        wait_for(lambda: all(supervisor.status()["state"] == "idle" for _ in range(10)))
        connection.request("GET", "/api/x")
        assert connection.getresponse().read().decode().startswith(f"{child.pid} ")
        connection.close()
        wait_for(lambda: not child.is_running())


def test_an_answer_before_the_upload_has_ended_arrives(supervisor: Supervisor) -> None:
    with socket.socket(socket.AF_UNIX) as upload:
        upload.connect(str(supervisor.socket))
        upload.sendall(b"POST /api/x HTTP/1.1\r\nContent-Length: 900000\r\n\r\n" + b"x" * 100_000)
        assert b"200 OK" in upload.recv(65536)


def test_a_long_request_ends_in_peace(tmp_path: Path) -> None:
    with supervisor_of("uvicorn_app", tmp_path, IDLE) as supervisor:
        supervisor.wait_until("ready")
        with socket.socket(socket.AF_UNIX) as upload:
            upload.connect(str(supervisor.socket))
            lines = ["POST /api/x HTTP/1.1", "Host: x", "Content-Length: 4", f"{IDLE_HEADER}: 99"]
            upload.sendall("\r\n".join([*lines, "", "12"]).encode())
            supervisor.wait_until("idle")
            first = supervisor.child.pid
            # Another is up before the first has ended.
            wait_for(lambda: not supervisor.request("/api/x")[2].startswith(f"{first} "))
            upload.sendall(b"34")
            assert b"has read 4" in b"".join(iter(lambda: upload.recv(65536), b""))
        wait_for(lambda: not psutil.pid_exists(first))
