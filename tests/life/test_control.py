"""MLflow's state is told, and MLflow is started, stopped and restarted in any state."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mlflow_proxy.addresses import CONTROL, CONTROL_START, CONTROL_UPGRADE, STATUS
from mlflow_proxy.process import END_TIMEOUT
from support.server import JSON, Server, server_of
from support.waiting import wait_for

API = Path(__file__).parents[2] / "docs" / "reference" / "openapi.yaml"
DEADLINE = 15.0  # seconds: twice `END_TIMEOUT`, and what a busy machine takes


def has_been_ready(jupyter: Server, count: int) -> bool:
    return jupyter.log.read_text().count("MLflow is ready") == count


def test_a_start_is_told_and_can_be_stopped_and_restarted(tmp_path: Path) -> None:
    began = time.time()
    (tmp_path / "version").write_text("99.2.0")  # of which this Jupyter has not warned yet
    with server_of("hang", tmp_path) as jupyter:
        child = jupyter.child
        wait_for(lambda: jupyter.status()["text"] == "Loading MLflow")
        starting = jupyter.status()
        assert (starting["state"], starting["pid"]) == ("starting", child.pid)
        assert began - 1 < starting["since"] < time.time()
        assert 0 <= starting["progress"] < 1
        notice = "MLflow 99.2.0 is not tested with this release of jupyter-mlflow-proxy"
        assert wait_for(lambda: jupyter.status()["notice"]) == notice
        assert f"WARNING mlflow_proxy.life: {notice}" in jupyter.log.read_text()
        stopped = jupyter.stop()
        assert (stopped["state"], stopped["text"]) == ("idle", "Stopped by the user")
        assert stopped["since"] > starting["since"]
        assert stopped["progress"] is None
        jupyter.wait_for_end()
        assert jupyter.status()["pid"] is None
        assert jupyter.request(CONTROL)[2] == jupyter.request(STATUS)[2]

        assert jupyter.start()["state"] == "starting"
        second = jupyter.child
        assert jupyter.restart()["state"] == "starting"
        wait_for(lambda: jupyter.status()["pid"] not in (None, second.pid))
        wait_for(lambda: not second.is_running())
        assert jupyter.status()["state"] == "starting"


def test_a_stop_completes_an_upload_while_the_next_process_answers(tmp_path: Path) -> None:
    head = "POST {path}/api/x HTTP/1.1\nContent-Length: 4"
    with server_of("uvicorn_app", tmp_path) as jupyter:
        ready = jupyter.wait_until("ready")
        assert (ready["pid"], ready["progress"]) == (jupyter.child.pid, None)
        assert 2**20 < ready["memory"] < 2**30
        with jupyter.sending(head, b"12") as upload:
            assert jupyter.request("/api/y")[2].startswith(f"{ready['pid']} ")
            stopped = jupyter.stop()
            assert (stopped["state"], stopped["pid"]) == ("idle", ready["pid"])
            assert jupyter.stop()["since"] == stopped["since"]
            assert jupyter.status()["state"] == "idle"
            status, _, body = jupyter.request("/api/x")  # which is use
            assert (status, body.startswith(f"{ready['pid']} ")) == (200, False)
            assert jupyter.wait_until("ready")["since"] > stopped["since"]
            # The upload has longer than a process that hangs.
            wait_for(lambda: time.time() > stopped["since"] + END_TIMEOUT + 1)
            assert len(jupyter.lab.mlflow_processes()) == 2
            upload.sendall(b"34")
            answer = b"".join(iter(lambda: upload.recv(65536), b""))
            assert f"{ready['pid']} has read 4".encode() in answer
        wait_for(lambda: len(jupyter.lab.mlflow_processes()) == 1)


def test_a_process_without_requests_is_gone_within_a_second(tmp_path: Path) -> None:
    with server_of("uvicorn_app", tmp_path) as jupyter:
        jupyter.wait_until("ready")
        assert jupyter.request("/api/x")[0] == 200  # its connection is kept for some seconds
        child, began = jupyter.child, time.monotonic()
        jupyter.stop()
        child.wait(DEADLINE)
        assert time.monotonic() - began < 1
        jupyter.wait_for_end()


def test_no_request_is_lost_by_restarts(tmp_path: Path) -> None:
    with server_of("uvicorn_app", tmp_path) as jupyter:
        jupyter.wait_until("ready")
        enough = threading.Event()
        answers: Counter[int] = Counter()
        pids = set()

        def send() -> None:
            while not enough.is_set():
                status, _, body = jupyter.request("/api/x", "POST", body="x" * 100_000)
                answers[status] += 1
                pids.add(body.split()[0])

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for count in (2, 3, 4):
                jupyter.restart()
                wait_for(partial(has_been_ready, jupyter, count))
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    assert set(answers) == {200}
    assert len(pids) > 2


def test_an_mlflow_that_hangs_is_killed_and_another_serves(tmp_path: Path) -> None:
    with server_of("uvicorn_app", tmp_path) as jupyter:
        child = jupyter.child
        jupyter.wait_until("ready")
        child.send_signal(signal.SIGSTOP)
        jupyter.stop()
        assert jupyter.request("/api/x")[2].split()[0] not in ("", str(child.pid))
        wait_for(lambda: not child.is_running(), DEADLINE)
        ended = f"MLflow ended (pid {child.pid}): signal 9 (Killed)"
        wait_for(lambda: ended in jupyter.log.read_text())


def test_an_mlflow_that_hangs_with_a_request_is_killed_as_well(tmp_path: Path) -> None:
    head = "POST {path}/api/x HTTP/1.1\nContent-Length: 4"
    with server_of("uvicorn_app", tmp_path) as jupyter:
        jupyter.wait_until("ready")
        child = jupyter.child
        with jupyter.sending(head, b"12") as upload:
            assert jupyter.request("/api/y")[0] == 200
            child.send_signal(signal.SIGSTOP)
            jupyter.stop()
            wait_for(lambda: not child.is_running(), DEADLINE)
            assert b"502 Bad Gateway" in upload.recv(65536)


def test_the_documented_api_describes_each_answer(tmp_path: Path) -> None:
    api = yaml.safe_load(API.read_text())
    status = {**api, "$ref": "#/components/schemas/Status"}  # whose references are of the whole
    validator = Draft202012Validator(status)
    with server_of("uvicorn_app", tmp_path) as jupyter:
        validator.validate(jupyter.wait_until("ready"))
        validator.validate(jupyter.stop())
        validator.validate(jupyter.restart())
        for path, methods in api["paths"].items():
            for method in methods.keys() - {"parameters"}:
                kinds = path.format(kind="upgrade")  # which is not offered
                answered = [jupyter.request(kinds, method.upper(), JSON, "{}")[0]]
                if method == "post":
                    answered.append(
                        jupyter.request(kinds, "POST", {"Content-Type": "a/b"}, "{}")[0]
                    )
                assert {*map(str, answered)} <= methods[method]["responses"].keys(), path
        assert not validator.is_valid({**jupyter.status(), "state": "asleep"})


def test_a_stop_does_nothing_about_a_failure(tmp_path: Path) -> None:
    with server_of("failing", tmp_path) as jupyter:
        failed = jupyter.wait_until("failed")
        assert (failed["text"], failed["remedy"]) == ("It is <broken>.", "Mend it.")
        assert jupyter.stop()["state"] == "failed"
        (tmp_path / "mended").touch()
        assert jupyter.start()["state"] == "starting"
        jupyter.wait_until("ready")
        assert jupyter.start()["state"] == "ready"
        pid = jupyter.child.pid
        assert jupyter.restart()["state"] == "starting"
        jupyter.wait_until("ready")
        assert jupyter.child.pid != pid


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        ("GET", {"Content-Type": "application/json"}, 405),
        ("POST", {"Content-Type": "text/plain"}, 415),
        ("POST", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", {}, 415),
        ("POST", {"Content-Type": "application/json", "Origin": "https://evil.example"}, 403),
        ("POST", {"Content-Type": "application/json", "Origin": "null"}, 403),
        ("POST", {"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
@pytest.mark.parametrize("action", [CONTROL_START, CONTROL_UPGRADE])
def test_no_form_and_no_foreign_page_does_anything(
    tmp_path: Path, action: str, method: str, headers: dict[str, str], code: int
) -> None:
    with server_of("outdated", tmp_path, start=False) as jupyter:
        if action != CONTROL_START:
            jupyter.start()
            jupyter.wait_until("failed")
        state = jupyter.status()["since"]
        assert jupyter.request(action, method, headers, "{}" if method == "POST" else "")[0] == code
        assert jupyter.status()["since"] == state


@pytest.mark.parametrize("own_first", [True, False])
def test_a_request_with_two_origins_or_hosts_is_refused(tmp_path: Path, own_first: bool) -> None:
    with server_of("outdated", tmp_path) as jupyter:
        jupyter.wait_until("failed")
        own = f"Origin: http://{jupyter.host}:{jupyter.port}"
        foreign = "Origin: https://evil.example"
        origins = [own, foreign] if own_first else [foreign, own]

        def post(*headers: str) -> bytes:
            first = f"POST {{path}}{CONTROL_UPGRADE} HTTP/1.1"
            lines = [first, "Content-Type: application/json", "Content-Length: 2", *headers]
            with jupyter.sending("\n".join(lines), b"{}") as connection:
                return connection.recv(100)

        assert post(*origins).startswith(b"HTTP/1.1 403 ")
        assert post("Host: evil.example", own).split()[1] in (b"400", b"403")
        assert jupyter.status()["state"] == "failed"
        assert post(own).startswith(b"HTTP/1.1 202 ")
        jupyter.wait_until("ready")
