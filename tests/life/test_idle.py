"""MLflow is stopped when idle and restarted by the next use; no request is lost."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlflow_proxy.addresses import CONTROL, CONTROL_STOP, IDLE_HEADER, STATUS
from support.server import PAGE, Server, server_of
from support.waiting import wait_for

POLL = {IDLE_HEADER: "1000"}
CLICK = {IDLE_HEADER: "0.2"}
IDLE_TIMEOUT = 0.3


@contextmanager
def idle_server(behaviour: str, folder: Path) -> Iterator[Server]:
    """A server whose MLflow is stopped whenever it was idle for a moment."""
    with server_of(behaviour, folder, start=False, idle_timeout=IDLE_TIMEOUT) as jupyter:
        yield jupyter


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[Server]:
    """A server whose MLflow was stopped because it was idle."""
    with idle_server("uvicorn_app", tmp_path) as running:
        running.start()
        running.wait_until("ready")
        running.wait_until("idle")
        running.wait_for_end()
        yield running


def test_an_idle_stop_is_told_and_what_is_no_use_wakes_nothing(jupyter: Server) -> None:
    wait_for(lambda: jupyter.status()["pid"] is None, 10)  # the state is idle before it has ended
    idle = jupyter.status()
    assert idle["text"] == f"Stopped after {IDLE_TIMEOUT} s without use"
    assert idle["memory"] is None
    lines = jupyter.log.read_text().splitlines()
    assert len([line for line in lines if f" after {IDLE_TIMEOUT} s without use" in line]) == 1
    for path, headers in [("/api/x", POLL), ("/static-files/x.js", {})]:
        status, answer, body = jupyter.request(path, headers=headers)
        assert status == 503
        assert int(answer["Retry-After"]) >= 1
        assert "because it was not used" in json.loads(body)["message"]
    for path in (STATUS, CONTROL):
        assert jupyter.request(path)[0] == 200
    jupyter.post(CONTROL_STOP)
    assert jupyter.status()["since"] == idle["since"]


def test_opening_the_page_restarts_mlflow_and_a_poll_waits_meanwhile(jupyter: Server) -> None:
    status, _, page = jupyter.request("/", headers=PAGE)
    assert (status, '<body data-state="starting"' in page) == (200, True)
    assert jupyter.request("/api/x", headers=POLL)[0] == 200


@pytest.mark.parametrize("headers", [CLICK, {}], ids=["click", "client"])
def test_a_request_waits_until_mlflow_is_ready(jupyter: Server, headers: dict[str, str]) -> None:
    status, _, body = jupyter.request("/api/x", "POST", headers, "{}")
    assert (status, body.endswith("has read 2")) == (200, True)


def test_no_request_is_lost_between_stop_and_start(jupyter: Server) -> None:
    enough = threading.Event()
    answers: Counter[str] = Counter()

    def ask(seed: int) -> None:
        pauses = random.Random(seed)
        while not enough.is_set():
            time.sleep(pauses.choice([0.01, 0.1, 1.5]) * pauses.random())
            answers[slow_request(jupyter, pauses.random() * 0.1)] += 1

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: jupyter.log.read_text().count("without use") >= 6, 60)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {"200 and all of it"}, answers


def slow_request(jupyter: Server, pause: float) -> str:
    """Connect, sleep for `pause` seconds, send a request; simulates a client under load."""
    connection = jupyter.connection()
    try:
        connection.connect()
        time.sleep(pause)
        path = f"{jupyter.path}/api/x"
        connection.request("POST", path, b"x" * 200_000, jupyter.headers())
        response = connection.getresponse()
        text = response.read().decode()
    except (OSError, ValueError) as error:
        return repr(error)
    finally:
        connection.close()
    return f"{response.status} and {'all of it' if text.endswith(' read 200000') else text}"


def test_a_long_request_is_use_until_it_is_answered(jupyter: Server) -> None:
    head = "POST {path}/api/x HTTP/1.1\nContent-Length: 4"
    with jupyter.sending(head, b"12") as upload:
        jupyter.wait_until("ready")
        time.sleep(3 * IDLE_TIMEOUT)
        assert jupyter.status()["state"] == "ready"
        upload.sendall(b"34")
        assert b"has read 4" in b"".join(iter(lambda: upload.recv(65536), b""))
    jupyter.wait_until("idle")


def test_a_long_request_that_is_no_use_completes_after_the_stop(jupyter: Server) -> None:
    jupyter.start()
    first = jupyter.child
    head = f"POST {{path}}/api/x HTTP/1.1\nContent-Length: 4\n{IDLE_HEADER}: 99"
    with jupyter.sending(head, b"12") as upload:
        jupyter.wait_until("ready")
        jupyter.wait_until("idle")
        # The next process serves before the first has ended.
        assert not jupyter.request("/api/x")[2].startswith(f"{first.pid} ")
        upload.sendall(b"34")
        answer = b"".join(iter(lambda: upload.recv(65536), b""))
        assert f"{first.pid} has read 4".encode() in answer
    wait_for(lambda: not first.is_running())
