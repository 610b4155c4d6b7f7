"""The supervisor and its child, with real processes, real signals and a real socket."""

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


def test_browser_gets_a_page_during_start(start: Start) -> None:
    status, headers, body = start("hang").request("/", headers=PAGE)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert '<body data-state="starting"' in body
    assert 'role="progressbar"' in body
    assert not re.search(r'(?:src|href)="(?:https?:)?//', body)


def test_program_gets_503_with_retry_after_during_start(start: Start) -> None:
    supervisor = start("hang")
    for method, accept in [("GET", "*/*"), ("POST", "text/html"), ("DELETE", "*/*")]:
        status, headers, body = supervisor.request("/api/x", method, {"Accept": accept}, "{}")
        assert status == 503
        assert 1 <= int(headers["Retry-After"]) <= 30
        assert json.loads(body)["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert json.loads(body)["message"]


def test_mlflow_client_gets_429_for_a_post_during_start(start: Start) -> None:
    supervisor = start("hang")
    client = {"User-Agent": "mlflow-python-client/3.18.0"}
    for method, code in [("GET", 503), ("POST", 429)]:
        status, headers, body = supervisor.request("/api/x", method, client, "{}")
        assert status == code
        assert 1 <= int(headers["Retry-After"]) <= 30
        assert json.loads(body)["message"] == "MLflow is starting."


def test_large_upload_is_answered_during_start(start: Start) -> None:
    status, _, _ = start("hang").request("/api/x", "POST", body="x" * 5_000_000)
    assert status == 503


def test_head_response_has_no_body(start: Start) -> None:
    status, headers, body = start("hang").request("/", "HEAD", PAGE)
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 1000


def test_child_serves_on_the_same_socket(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    assert supervisor.request("/")[2] == str(supervisor.child.pid)


def test_socket_is_accessible_only_to_its_owner(start: Start) -> None:
    supervisor = start("hang")
    assert stat.S_IMODE(supervisor.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(supervisor.socket.parent.stat().st_mode) == 0o700


def test_no_request_is_refused_while_a_killed_child_is_restarted(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    child = supervisor.child
    child.kill()
    child.wait(10)  # only connections that the child had accepted may break
    answers = set()

    def is_back() -> bool:
        status, _, body = supervisor.request("/")
        answers.add(status)
        return status == 200 and body != str(child.pid)

    wait_for(is_back)
    assert answers <= {200, 503}


def test_child_killed_during_start_is_restarted(start: Start) -> None:
    supervisor = start("hang")
    child = supervisor.child
    child.kill()
    text = "ask for more memory. It is restarted."
    wait_for(lambda: supervisor.status()["text"].endswith(text))
    assert supervisor.status()["state"] == "starting"
    assert wait_for(lambda: supervisor.child).pid != child.pid
    assert f"MLflow ended (pid {child.pid}): signal 9 (Killed)" in supervisor.log.read_text()


def test_consecutive_crashes_increase_retry_after(start: Start) -> None:
    supervisor = start("serve")
    delays = []
    for _ in range(2):
        supervisor.wait_until("ready")
        supervisor.child.kill()
        supervisor.wait_until("starting")
        delays.append(int(supervisor.request("/api/x")[1]["Retry-After"]))
    assert delays[0] < delays[1] == 30


def test_failure_is_shown_and_try_again_restarts(start: Start, tmp_path: Path) -> None:
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


def test_reloading_the_page_restarts_after_a_pause(start: Start, tmp_path: Path) -> None:
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
def test_get_or_form_post_does_not_restart(start: Start, method: str, content_type: str) -> None:
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
def test_only_own_origin_and_programs_may_upgrade(
    start: Start, headers: dict[str, str], code: int
) -> None:
    supervisor = start("outdated")
    supervisor.wait_until("failed")
    assert supervisor.post("/_proxy/repair/upgrade", **headers) == code
    supervisor.wait_until("failed" if code == 403 else "ready")


def test_upgrade_runs_on_request_before_the_start(start: Start, tmp_path: Path) -> None:
    supervisor = start("outdated")
    status = supervisor.wait_until("failed")
    assert status["offer"] == {
        "repair": "upgrade",
        "action": "Upgrade database",
        "subject": "It",
        "warning": "Stop others.",
        "copies": [str(tmp_path / "copy")],
        "decline": "",
    }
    supervisor.try_again()
    supervisor.wait_until("failed")
    assert not (tmp_path / "upgraded").exists()
    assert supervisor.request("/_proxy/repair/upgrade")[0] == 405
    assert supervisor.repair("upgrade") == 202
    supervisor.wait_until("ready")
    assert (tmp_path / "upgraded").exists()


def test_killed_upgrade_names_the_copy(start: Start, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    supervisor = start("outdated")
    supervisor.wait_until("failed")
    supervisor.repair("upgrade")
    status = supervisor.wait_until("failed")
    assert "was killed" in status["reason"]
    assert f"The database as it was is kept at {tmp_path / 'copy'}" in status["remedy"]
    assert status["offer"] is None


def test_upgrade_that_was_not_offered_is_refused(start: Start) -> None:
    supervisor = start("failing")
    assert supervisor.repair("upgrade") == 409
    supervisor.wait_until("failed")
    assert supervisor.repair("upgrade") == 409


def test_only_the_offer_that_is_shown_can_be_agreed_to(start: Start, tmp_path: Path) -> None:
    supervisor = start("outdated")
    supervisor.wait_until("failed")
    assert supervisor.repair("locations") == 409
    assert supervisor.repair("nonsense") == 503
    assert supervisor.decline("upgrade") == 409
    supervisor.wait_until("failed")
    assert not (tmp_path / "upgraded").exists()


def test_a_declined_offer_is_not_made_again(start: Start, tmp_path: Path) -> None:
    (tmp_path / "optional").touch()
    supervisor = start("outdated")
    assert supervisor.wait_until("failed")["offer"]["decline"] == "Open it"
    assert supervisor.decline("locations") == 409
    assert supervisor.decline("upgrade") == 202
    supervisor.wait_until("ready")
    assert not (tmp_path / "upgraded").exists()
    assert stat.S_IMODE((tmp_path / "mlflow-proxy-declined.json").stat().st_mode) == 0o600


def test_log_of_a_child_that_ends_without_a_report_is_shown(start: Start) -> None:
    supervisor = start("silent")
    status = supervisor.wait_until("failed")
    assert status["reason"] == "MLflow ended with exit code 3 before it was ready."
    assert status["log"] == ["I am silent, of postgresql://me:***@host/db <script>"]
    page = supervisor.request("/", headers=PAGE)[2]
    assert "I am silent" in page
    assert "<script>" not in page.replace("<script nonce", "").replace("<script type", "")
    assert "hunter2" not in page + supervisor.log.read_text()


def test_hanging_child_is_ended_after_the_start_timeout(start: Start) -> None:
    supervisor = start("hang")
    child = supervisor.child
    assert "within 2 seconds" in supervisor.wait_until("failed")["reason"]
    wait_for(lambda: not child.is_running())


def test_sigterm_ends_supervisor_and_child(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    child = supervisor.child
    supervisor.process.send_signal(signal.SIGTERM)
    assert supervisor.process.wait(20) == 128 + signal.SIGTERM
    assert not child.is_running()
    assert not supervisor.socket.exists()
    # Jupyter still runs: if the folder were removed, another user could create it and receive
    # Jupyter's next request.
    assert stat.S_IMODE(supervisor.socket.parent.stat().st_mode) == 0o700


def test_child_ends_when_the_supervisor_is_killed(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    child = supervisor.child
    supervisor.process.kill()
    wait_for(lambda: not child.is_running())


def test_supervisor_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
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


def test_leftover_socket_is_replaced_but_no_other_file(tmp_path: Path) -> None:
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
def test_folder_owned_or_writable_by_others_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    if mode == 0o700:  # a folder of another user; / if the test may not chown
        folder = folder if os.geteuid() == 0 else Path("/")
        if os.geteuid() == 0:
            os.chown(folder, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        listen(folder / "socket").__enter__()
    assert not (folder / "socket").exists()


def test_supervisor_memory_is_small(start: Start) -> None:
    supervisor = start("serve")
    supervisor.wait_until("ready")
    memory = psutil.Process(supervisor.process.pid).memory_full_info()
    assert memory.pss < 20 * 2**20 if sys.platform == "linux" else memory.uss < 20 * 2**20


def test_file_in_the_working_directory_does_not_shadow_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "asyncio.py").write_text("raise SystemExit('the wrong asyncio')")
    command = [sys.executable, "-m", "mlflow_proxy", "--help"]
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONSAFEPATH"}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "--unix-socket" in result.stdout


def test_report_of_another_version_is_logged_and_ignored(start: Start) -> None:
    supervisor = start("misspelt")
    supervisor.wait_until("ready")
    assert supervisor.log.read_text().count("Ignored a report of MLflow") == 3


@pytest.mark.parametrize(
    "path", ["/_proxy/start", "/_proxy/repair/upgrade", "/_proxy/decline/upgrade"]
)
@pytest.mark.parametrize("own_first", [True, False])
def test_request_with_two_origins_or_hosts_is_refused(
    start: Start, tmp_path: Path, path: str, own_first: bool
) -> None:
    (tmp_path / "optional").touch()
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
