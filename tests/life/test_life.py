"""MLflow's life in a Jupyter server, with real processes and real signals."""

from __future__ import annotations

import asyncio
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlflow_proxy.addresses import DASHBOARD_FRAME
from mlflow_proxy.life import MAX_CRASHES
from mlflow_proxy.status import UPGRADE
from support.lab import leftovers
from support.life import life_of, until
from support.server import PAGE, STAND_INS, Server, jupyter_server, server_of
from support.waiting import wait_for

Start = Callable[..., Server]
STARTED = "Started MLflow (pid "


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A function that runs a stand-in as MLflow."""
    with ExitStack() as stack:

        def run(behaviour: str, **options: Any) -> Server:
            return stack.enter_context(server_of(behaviour, tmp_path, **options))

        yield run


def kill(jupyter: Server) -> psutil.Process:
    """Kill MLflow, and wait until Jupyter knows; returns the process."""
    child = jupyter.child
    child.kill()
    wait_for(lambda: f"MLflow ended (pid {child.pid})" in jupyter.log.read_text())
    return child


def test_a_question_starts_nothing_and_a_page_does(start: Start) -> None:
    jupyter = start("serve", start=False)
    assert jupyter.status()["state"] == "idle"
    assert STARTED not in jupyter.log.read_text()
    assert '<body data-state="starting"' in jupyter.request("/", headers=PAGE)[2]
    jupyter.wait_until("ready")
    assert jupyter.request("/")[2] == str(jupyter.child.pid)


def test_the_socket_is_accessible_only_to_its_owner(start: Start) -> None:
    jupyter = start("serve")
    jupyter.wait_until("ready")
    assert stat.S_IMODE(jupyter.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(jupyter.socket.parent.stat().st_mode) == 0o700
    assert [*jupyter.socket.parent.iterdir()] == [jupyter.socket]


def test_a_killed_process_is_replaced_and_requests_wait(start: Start) -> None:
    jupyter = start("serve")
    jupyter.wait_until("ready")
    child = kill(jupyter)  # only requests that it had accepted may break
    status, _, body = jupyter.request("/")
    assert (status, body != str(child.pid)) == (200, True)
    log = jupyter.log.read_text()
    assert f"MLflow ended (pid {child.pid}): signal 9 (Killed)" in log
    assert "MLflow ended unexpectedly. It is restarted." in log


def test_a_process_that_is_killed_during_its_start_is_replaced(start: Start) -> None:
    jupyter = start("hang")
    child = kill(jupyter)
    text = "ask for more memory. It is restarted."
    wait_for(lambda: jupyter.status()["text"].endswith(text) or jupyter.status()["pid"])
    assert text in jupyter.log.read_text()
    assert jupyter.status()["state"] == "starting"
    wait_for(lambda: jupyter.status()["pid"] != child.pid)


@pytest.mark.parametrize("behaviour", ["serve", "hang"])
def test_crashes_in_a_row_are_bounded_and_the_next_use_tries_again(
    start: Start, behaviour: str
) -> None:
    jupyter = start(behaviour)
    killed = set()
    for count in range(MAX_CRASHES):
        wait_for(lambda: jupyter.status()["pid"] not in killed)
        if behaviour == "serve":
            jupyter.wait_until("ready")
        elif count == MAX_CRASHES - 1:  # a client does not use up its tries on crashes
            of_frame = {"Referer": DASHBOARD_FRAME}  # which does not wait
            assert jupyter.request("/api/x", headers=of_frame)[1]["Retry-After"] == "30"
        killed.add(kill(jupyter).pid)
    status = jupyter.wait_until("failed")
    assert f"This happened {MAX_CRASHES} times in a row." in status["reason"]
    jupyter.wait_for_end()
    jupyter.start()
    jupyter.wait_until("ready" if behaviour == "serve" else "starting")
    kill(jupyter)  # the count begins anew
    wait_for(lambda: jupyter.status()["state"] in ("starting", "ready"))


def test_a_failure_is_shown_and_try_again_starts_mlflow(start: Start, tmp_path: Path) -> None:
    jupyter = start("failing")
    status = jupyter.wait_until("failed")
    assert (status["reason"], status["remedy"]) == ("It is <broken>.", "Mend it.")
    page = jupyter.request("/", headers=PAGE)[2]
    assert '<body data-state="failed"' in page
    assert "It is &lt;broken&gt;." in page

    assert jupyter.try_again() == 202
    jupyter.wait_until("failed")
    (tmp_path / "mended").touch()
    jupyter.try_again()
    jupyter.wait_until("ready")
    assert jupyter.log.read_text().count("ERROR mlflow_proxy.life: MLflow cannot start") == 2


def test_reloading_the_page_starts_mlflow_after_a_pause(start: Start, tmp_path: Path) -> None:
    jupyter = start("failing")
    jupyter.wait_until("failed")
    (tmp_path / "mended").touch()
    jupyter.request("/", headers=PAGE)
    assert jupyter.status()["state"] == "failed"
    wait_for(lambda: 'data-state="failed"' not in jupyter.request("/", headers=PAGE)[2])
    jupyter.wait_until("ready")


def test_an_upgrade_runs_on_request_before_the_start(start: Start, tmp_path: Path) -> None:
    jupyter = start("outdated")
    status = jupyter.wait_until("failed")
    assert status["offer"] == {
        "repair": "upgrade",
        "action": "Upgrade database",
        "subject": "It",
        "warning": UPGRADE["warning"],
        "copies": [str(tmp_path / "copy")],
    }
    jupyter.try_again()
    jupyter.wait_until("failed")
    assert not (tmp_path / "upgraded").exists()
    assert jupyter.upgrade() == 202
    jupyter.wait_until("ready")
    assert (tmp_path / "upgraded").exists()


def test_a_killed_upgrade_names_the_copy(start: Start, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    jupyter = start("outdated")
    jupyter.wait_until("failed")
    jupyter.upgrade()
    status = jupyter.wait_until("failed")
    assert "was killed" in status["reason"]
    assert f"The database as it was is kept at {tmp_path / 'copy'}" in status["remedy"]
    assert status["offer"] is None
    jupyter.wait_for_end()
    assert jupyter.log.read_text().count("): upgrade\n") == 1


def test_only_an_upgrade_that_is_offered_runs(start: Start, tmp_path: Path) -> None:
    jupyter = start("outdated")
    jupyter.wait_until("failed")
    jupyter.run_stand_in("failing", tmp_path)
    jupyter.try_again()
    wait_for(lambda: jupyter.status()["reason"] == "It is <broken>.")
    assert jupyter.upgrade() == 409  # which an earlier page may show
    assert not (tmp_path / "upgraded").exists()


def test_the_output_of_a_process_that_ends_without_a_report_is_shown(start: Start) -> None:
    jupyter = start("silent")
    status = jupyter.wait_until("failed")
    assert status["reason"] == "MLflow ended with exit code 3 before it was ready."
    assert status["log"] == str(jupyter.log)
    wait_for(lambda: "I am silent, of postgresql://me:***@host/db <script>" in last_lines(jupyter))
    page = jupyter.request("/", headers=PAGE)[2]
    assert "I am silent" in page
    assert "<script>" not in page.replace("<script nonce", "").replace("<script type", "")
    assert "hunter2" not in page + jupyter.log.read_text()
    jupyter.wait_for_end()  # and is not started again


def last_lines(jupyter: Server) -> list[str]:
    return jupyter.status()["lines"]


def test_a_process_that_hangs_is_ended_after_the_start_timeout(tmp_path: Path) -> None:
    async def run() -> None:
        program = (sys.executable, str(STAND_INS / "hang.py"))
        async with life_of(tmp_path, *program, start_timeout=0.5) as life:
            life.start()
            assert await life.ready() is None
            assert life.status.failure
            assert "within 0.5 seconds" in life.status.failure.reason
            await until(lambda: not life.status.processes)

    asyncio.run(run())


def test_an_interpreter_that_is_gone_when_mlflow_crashes_is_a_failure(tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\nrm "$0"\nkill -KILL $$\n')
    program.chmod(0o700)

    async def run() -> None:
        async with life_of(tmp_path, str(program)) as life:
            life.start()
            assert await asyncio.wait_for(life.ready(), 30) is None
            failure = life.status.failure
            assert failure
            told = f"MLflow's interpreter, {program}, cannot be run: No such file or directory."
            assert failure.reason == told
            assert failure.remedy.endswith("Or put the interpreter in its place, then try again.")
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_INS / "serve.py"} "$@"\n')
            program.chmod(0o700)
            life.start()
            assert await life.ready()

    asyncio.run(run())


def test_a_root_folder_that_is_put_back_is_used_again(tmp_path: Path) -> None:
    async def run() -> None:
        folder = tmp_path / "root"
        async with life_of(folder, sys.executable, str(STAND_INS / "serve.py")) as life:
            life.start()
            assert await life.ready() is None
            failure = life.status.failure
            assert failure
            assert failure.reason == f"Jupyter's root folder, {folder}, does not exist."
            assert failure.remedy == "Put it back: MLflow is then started by its next use."
            folder.mkdir()
            life.start()
            assert await life.ready()

    asyncio.run(run())


def test_reports_of_another_version_are_logged_and_ignored(start: Start) -> None:
    jupyter = start("misspelt")
    jupyter.wait_until("ready")
    assert jupyter.log.read_text().count("Ignored a report of MLflow") == 3


@pytest.mark.parametrize("state", ["ready", "starting", "idle"])
def test_nothing_is_left_when_jupyter_is_killed(tmp_path: Path, state: str) -> None:
    with jupyter_server(tmp_path) as jupyter:
        jupyter.run_stand_in("hang" if state == "starting" else "serve", tmp_path)
        jupyter.start()
        children = [jupyter.child]
        if state != "starting":
            jupyter.wait_until("ready")
        if state == "idle":
            jupyter.stop()
            jupyter.wait_for_end()
        jupyter.process.send_signal(signal.SIGKILL)
        jupyter.process.wait()
        wait_for(lambda: not any(each.is_running() for each in children))
        wait_for(lambda: not leftovers(tmp_path))


def test_sigterm_of_jupyter_ends_mlflow_at_once(tmp_path: Path) -> None:
    with jupyter_server(tmp_path) as jupyter:
        jupyter.run_stand_in("serve", tmp_path)
        jupyter.start()
        jupyter.wait_until("ready")
        child = jupyter.child
        jupyter.process.terminate()
        child.wait(5)
        jupyter.process.wait(5)
        assert not leftovers(tmp_path)
    assert re.search(rf"MLflow ended \(pid {child.pid}\)", jupyter.log.read_text()) is None
