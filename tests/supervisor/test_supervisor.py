"""The supervisor's life with its child: real processes, real signals, a real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from mlflow_proxy.supervisor.front.sockets import listen
from support.supervisor import PAGE, Supervisor, command_of, new_socket, supervisor_of
from support.waiting import wait_for

Start = Callable[[str], Supervisor]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda behaviour: stack.enter_context(supervisor_of(behaviour, tmp_path))


def test_a_person_gets_a_page_while_it_starts(start: Start) -> None:
    status, headers, body = start("hang").request("/", headers=PAGE)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert '<body data-state="starting"' in body
    assert 'role="progressbar"' in body
    assert not re.search(r'(?:src|href)="(?:https?:)?//', body)


def test_a_program_is_told_to_come_back(start: Start) -> None:
    supervisor = start("hang")
    for method, accept in [("GET", "*/*"), ("POST", "text/html"), ("DELETE", "*/*")]:
        status, headers, body = supervisor.request("/api/x", method, {"Accept": accept}, "{}")
        assert status == 503
        assert 1 <= int(headers["Retry-After"]) <= 30
        assert json.loads(body)["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert json.loads(body)["message"]


def test_mlflows_client_is_told_that_nothing_was_done(start: Start) -> None:
    supervisor = start("hang")
    client = {"User-Agent": "mlflow-python-client/3.18.0"}
    for method, code in [("GET", 503), ("POST", 429)]:
        status, headers, body = supervisor.request("/api/x", method, client, "{}")
        assert status == code
        assert 1 <= int(headers["Retry-After"]) <= 30
        assert json.loads(body)["message"] == "MLflow is starting."


def test_a_large_upload_gets_its_answer(start: Start) -> None:
    status, _, _ = start("hang").request("/api/x", "POST", body="x" * 5_000_000)
    assert status == 503


def test_head_has_no_body(start: Start) -> None:
    status, headers, body = start("hang").request("/", "HEAD", PAGE)
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 1000


def test_the_child_serves_on_the_same_socket(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    assert supervisor.request("/")[2] == str(supervisor.child.pid)


def test_the_socket_is_the_owners_alone(start: Start) -> None:
    supervisor = start("hang")
    assert stat.S_IMODE(supervisor.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(supervisor.socket.parent.stat().st_mode) == 0o700


def test_no_request_is_refused_while_the_child_is_killed_and_comes_back(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    child = supervisor.child
    child.kill()
    child.wait(10)  # what it had accepted ends with it; what comes now must not
    answers = set()

    def is_back() -> bool:
        status, _, body = supervisor.request("/")
        answers.add(status)
        return status == 200 and body != str(child.pid)

    wait_for(is_back)
    assert answers <= {200, 503}


def test_a_child_that_is_killed_while_it_starts_is_started_again(start: Start) -> None:
    supervisor = start("hang")
    child = supervisor.child
    child.kill()
    told = "ask for more memory. It is restarted."
    wait_for(lambda: supervisor.status()["text"].endswith(told))
    assert supervisor.status()["state"] == "starting"
    assert wait_for(lambda: supervisor.child).pid != child.pid
    assert f"MLflow ended (pid {child.pid}): signal 9 (Killed)" in supervisor.log.read_text()


def test_after_crashes_in_a_row_programs_are_told_to_stay_away(start: Start) -> None:
    supervisor = start("serve")
    told = []
    for _ in range(2):
        supervisor.wait_until("ready")
        supervisor.child.kill()
        supervisor.wait_until("starting")
        told.append(int(supervisor.request("/api/x")[1]["Retry-After"]))
    assert told[0] < told[1] == 30


def test_a_failure_is_told_and_try_again_tries_again(start: Start, tmp_path: Path) -> None:
    supervisor = start("failing")
    status = supervisor.wait_until("failed")
    assert (status["reason"], status["remedy"]) == ("It is <broken>.", "Mend it.")
    _, _, page = supervisor.request("/", headers=PAGE)
    assert '<body data-state="failed"' in page
    assert "It is &lt;broken&gt;." in page
    code, _, body = supervisor.request("/api/x")
    assert (code, json.loads(body)["message"]) == (503, "It is <broken>. Mend it.")

    assert supervisor.try_again() == 202
    supervisor.wait_until("failed")
    (tmp_path / "mended").touch()
    supervisor.try_again()
    supervisor.wait_until("ready")


def test_loading_the_page_again_tries_again_a_little_later(start: Start, tmp_path: Path) -> None:
    supervisor = start("failing")
    supervisor.wait_until("failed")
    (tmp_path / "mended").touch()
    supervisor.request("/", headers=PAGE)
    assert supervisor.status()["state"] == "failed"
    wait_for(lambda: "failed" not in supervisor.request("/", headers=PAGE)[2].split("<main>")[0])
    supervisor.wait_until("ready")


@pytest.mark.parametrize(
    ("method", "content_type"), [("GET", "application/json"), ("POST", "text/plain")]
)
def test_a_foreign_form_does_not_try_again(start: Start, method: str, content_type: str) -> None:
    supervisor = start("failing")
    supervisor.wait_until("failed")
    headers = {"Content-Type": content_type}
    assert supervisor.request("/_proxy/start", method, headers, "{}")[0] == 405
    assert supervisor.status()["state"] == "failed"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://localhost"}, 202),
        ({"Origin": "https://localhost"}, 202),
        ({}, 202),
    ],
)
def test_only_its_own_page_and_programs_may_upgrade(
    start: Start, headers: dict[str, str], code: int
) -> None:
    supervisor = start("outdated")
    supervisor.wait_until("failed")
    assert supervisor.post("/_proxy/upgrade", **headers) == code
    supervisor.wait_until("failed" if code == 403 else "ready")


def test_an_upgrade_comes_before_the_start(start: Start, tmp_path: Path) -> None:
    supervisor = start("outdated")
    status = supervisor.wait_until("failed")
    assert status["upgrade"] == {"database": "It", "copy": str(tmp_path / "copy")}
    supervisor.try_again()
    supervisor.wait_until("failed")
    assert not (tmp_path / "upgraded").exists()
    assert supervisor.request("/_proxy/upgrade")[0] == 405
    assert supervisor.upgrade() == 202
    supervisor.wait_until("ready")
    assert (tmp_path / "upgraded").exists()


def test_an_upgrade_that_is_killed_says_where_the_copy_is(start: Start, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    supervisor = start("outdated")
    supervisor.wait_until("failed")
    supervisor.upgrade()
    status = supervisor.wait_until("failed")
    assert "was killed" in status["reason"]
    assert f"The database as it was is kept at {tmp_path / 'copy'}" in status["remedy"]
    assert status["upgrade"] is None


def test_nothing_is_upgraded_unless_it_was_offered(start: Start) -> None:
    supervisor = start("failing")
    assert supervisor.upgrade() == 409
    supervisor.wait_until("failed")
    assert supervisor.upgrade() == 409


def test_a_child_that_ends_without_a_word_has_its_log_shown(start: Start) -> None:
    supervisor = start("silent")
    status = supervisor.wait_until("failed")
    assert status["reason"] == "MLflow ended with exit code 3 before it was ready."
    assert status["log"] == ["I am silent, of postgresql://me:***@host/db <script>"]
    page = supervisor.request("/", headers=PAGE)[2]
    assert "I am silent" in page
    assert "<script>" not in page.replace("<script nonce", "").replace("<script type", "")
    assert "hunter2" not in page + supervisor.log.read_text()


def test_a_child_that_hangs_is_ended_after_the_time_out(start: Start) -> None:
    supervisor = start("hang")
    child = supervisor.child
    assert "within 2 seconds" in supervisor.wait_until("failed")["reason"]
    wait_for(lambda: not child.is_running())


def test_a_signal_ends_it_with_all_it_has(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    child = supervisor.child
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.process.wait(20) == 128 + signal.SIGTERM
    assert not child.is_running()
    assert not supervisor.socket.exists()
    # Jupyter is alive: another user could create the folder anew, and get Jupyter's next request.
    assert stat.S_IMODE(supervisor.socket.parent.stat().st_mode) == 0o700


def test_the_child_ends_when_the_supervisor_is_killed(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    child = supervisor.child
    supervisor.process.kill()
    wait_for(lambda: not child.is_running())


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True);"
        "p.wait()"
    )
    listener = new_socket()
    command = [sys.executable, "-c", code, *command_of("serve", tmp_path)]
    command.append(f"--unix-socket={listener}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        supervisor = psutil.Process(int(parent.stdout.readline()))
        (child,) = wait_for(supervisor.children)
        parent.kill()
    wait_for(lambda: not supervisor.is_running() and not child.is_running())
    assert not listener.parent.exists()


def test_a_leftover_socket_is_replaced_but_nothing_else(tmp_path: Path) -> None:
    path = new_socket()
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(str(path))
    with supervisor_of("serve", tmp_path, listener=path) as supervisor:
        supervisor.wait_until("ready")
        assert path.stat().st_mode & 0o777 == 0o600

    path.parent.mkdir(mode=0o700)
    path.write_text("not a socket")
    with supervisor_of("serve", tmp_path, listener=path) as supervisor:
        message = f"{path} is in the way and is not a socket; remove it"
        wait_for(lambda: message in supervisor.log.read_text())
        assert supervisor.process.wait(20) == 1
        assert path.read_text() == "not a socket"
        path.unlink()


@pytest.mark.parametrize("mode", [0o700, 0o770, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    if mode == 0o700:  # another user's; without the right to give one away, the root folder
        folder = folder if os.geteuid() == 0 else Path("/")
        if os.geteuid() == 0:
            os.chown(folder, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        listen(folder / "socket").__enter__()
    assert not (folder / "socket").exists()


def test_it_stays_small(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    memory = psutil.Process(supervisor.process.pid).memory_full_info()
    assert memory.pss < 20 * 2**20 if sys.platform == "linux" else memory.uss < 20 * 2**20


def test_a_users_file_does_not_stand_in_for_pythons(tmp_path: Path) -> None:
    (tmp_path / "asyncio.py").write_text("raise SystemExit('the wrong asyncio')")
    command = [sys.executable, "-m", "mlflow_proxy", "--help"]
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONSAFEPATH"}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "--unix-socket" in result.stdout


def test_a_report_of_another_version_is_logged_and_ignored(start: Start) -> None:
    supervisor = start("misspelt")
    supervisor.wait_until("ready")
    assert supervisor.log.read_text().count("Ignored a report of MLflow") == 3


@pytest.mark.parametrize("path", ["/_proxy/start", "/_proxy/upgrade"])
@pytest.mark.parametrize("own_first", [True, False])
def test_two_origins_are_foreign(start: Start, path: str, own_first: bool) -> None:
    supervisor = start("outdated")
    supervisor.wait_until("failed")
    own, foreign = "Origin: http://localhost", "Origin: https://evil.example"
    origins = [own, foreign] if own_first else [foreign, own]

    def post(*headers: str) -> bytes:
        lines = [f"POST {path} HTTP/1.1", "Content-Type: application/json", *headers]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(supervisor.socket))
            connection.sendall("\r\n".join([*lines, "Content-Length: 2", "", "{}"]).encode())
            return connection.recv(100)

    assert post("Host: localhost", *origins).startswith(b"HTTP/1.1 403 ")
    assert post("Host: localhost", "Host: evil.example", own).startswith(b"HTTP/1.1 403 ")
    assert supervisor.status()["state"] == "failed"
    assert post("Host: localhost", own).startswith(b"HTTP/1.1 202 ")
