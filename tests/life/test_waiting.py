"""A request waits while MLflow starts, the first time only if it asks for that."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from mlflow_proxy.addresses import WAIT
from mlflow_proxy.life import MAX_WAITING
from support.server import Server, jupyter_server, server_of
from support.waiting import wait_for

WAITING = dict([WAIT])


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[Server]:
    """A server whose MLflow is stopped, and waits while it starts and `closed` exists."""
    with server_of("uvicorn_app", tmp_path, start=False) as running:
        yield running


def pid_of(body: str) -> int:
    return int(body.split(maxsplit=1)[0])


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_the_first_request_starts_mlflow_and_gets_its_answer(jupyter: Server, method: str) -> None:
    status, _, body = jupyter.request("/api/x", method, body="{}" * 1000)
    assert (status, body) == (200, f"{jupyter.child.pid} has read 2000")


def test_only_a_request_that_asks_for_it_waits_for_the_first_start(tmp_path: Path) -> None:
    with jupyter_server(tmp_path) as jupyter, ThreadPoolExecutor(20) as pool:
        jupyter.run_stand_in("uvicorn_app", tmp_path)
        (tmp_path / "closed").touch()
        status = jupyter.status()
        assert (status["state"], status["since"], status["pid"]) == ("stopped", None, None)
        assert jupyter.request("/api/x")[0] == 503
        jupyter.wait_until("starting")  # which that request has caused
        asked = [pool.submit(jupyter.request, "/api/x", "POST", WAITING) for _ in range(20)]
        client = {"User-Agent": "mlflow-python-client/3.18.0"}
        assert jupyter.request("/api/x", "POST", client)[0] == 429
        (tmp_path / "closed").unlink()
        assert {each.result()[0] for each in asked} == {200}


def test_the_number_of_waiting_requests_is_bounded(jupyter: Server, tmp_path: Path) -> None:
    (tmp_path / "closed").touch()
    jupyter.start()
    memory = psutil.Process(jupyter.process.pid).memory_full_info().uss
    too_many = 30
    with ThreadPoolExecutor(MAX_WAITING + too_many) as pool:
        send = (jupyter.request, "/api/x", "POST", {}, b"x" * 200_000)
        asked = [pool.submit(*send) for _ in range(MAX_WAITING + too_many)]
        wait_for(lambda: sum(each.done() for each in asked) == too_many)
        more = psutil.Process(jupyter.process.pid).memory_full_info().uss - memory
        (tmp_path / "closed").unlink()
        assert Counter(each.result()[0] for each in asked) == {200: MAX_WAITING, 503: too_many}
    assert more < 40 << 20  # bytes


def test_requests_that_wait_outlive_a_restart(jupyter: Server, tmp_path: Path) -> None:
    (tmp_path / "closed").touch()
    jupyter.start()
    first = jupyter.child
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(jupyter.request, "/api/x")
        for _ in range(3):  # Jupyter answers these later than it reads the one above
            jupyter.status()
        jupyter.restart()
        (tmp_path / "closed").unlink()
        status, _, body = asked.result()
    assert (status, pid_of(body) != first.pid) == (200, True)


def test_a_failure_is_the_answer(tmp_path: Path) -> None:
    with server_of("failing", tmp_path, start=False) as jupyter:
        status, headers, body = jupyter.request("/api/x", "POST", WAITING)
        assert status == 503
        assert int(headers["Retry-After"]) >= 1
        assert json.loads(body)["message"] == "It is <broken>. Mend it."


def test_an_answer_before_the_end_of_an_upload_arrives(tmp_path: Path) -> None:
    """Also if the upload has caused the start."""
    head = "POST {path}/api/x HTTP/1.1\nContent-Length: 900000"
    with (
        server_of("serve", tmp_path, start=False) as jupyter,
        jupyter.sending(head, b"x" * 100_000) as upload,
    ):
        assert b"200 OK" in upload.recv(65536)
