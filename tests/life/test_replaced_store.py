"""MLflow is restarted at once when it reports that its store was replaced; no request is lost."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.supervisor import PAGE, Supervisor, supervisor_of
from support.waiting import wait_for


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with supervisor_of("serve", tmp_path) as running:
        running.wait_until("ready")
        yield running


def replace(supervisor: Supervisor) -> None:
    """Make the child report it; wait until the child has ended."""
    child = supervisor.child.pid
    supervisor.request("/report-replaced")
    wait_for(lambda: f"MLflow ended (pid {child})" in supervisor.log.read_text())


def test_the_next_process_answers_the_next_request(supervisor: Supervisor) -> None:
    replace(supervisor)
    status, _, body = supervisor.request("/api/x", "POST", body="{}")
    assert (status, body) == (200, str(supervisor.child.pid))
    log = supervisor.log.read_text()
    assert "/store is no longer the file that it has opened" in log
    assert f"Started MLflow (pid {supervisor.child.pid}): restart with another store" in log


def test_a_page_shows_the_progress(supervisor: Supervisor) -> None:
    replace(supervisor)
    assert '<body data-state="starting"' in supervisor.request("/", headers=PAGE)[2]


def test_a_store_that_keeps_changing_is_opened_less_and_less_often(supervisor: Supervisor) -> None:
    seconds = []
    for _ in range(4):
        replace(supervisor)
        began = time.monotonic()
        wait_for(lambda: supervisor.request("/api/x")[2] == str(supervisor.child.pid))
        seconds.append(time.monotonic() - began)
        supervisor.wait_until("ready")
    assert seconds[0] < seconds[2]
    assert seconds[2] > 1.0
    assert seconds[3] > 3.0
    replace(supervisor)
    status, headers, _ = supervisor.request("/api/x")  # the next start is too far away to wait for
    assert (status, int(headers["Retry-After"]) > 3) == (503, True)


def test_requests_that_were_held_get_the_reason_of_a_failure(tmp_path: Path) -> None:
    with supervisor_of("serve_once", tmp_path) as supervisor:
        supervisor.wait_until("ready")
        replace(supervisor)
        status, _, body = supervisor.request("/api/x")
        assert (status, "It is <broken>." in body) == (503, True)
        assert re.search(r"WARNING \S+: Stopping MLflow", supervisor.log.read_text())
