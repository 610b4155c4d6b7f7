"""MLflow is restarted at once when it reports that its store was replaced; no request is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlflow_proxy.life import MAX_REPLACEMENTS
from support.server import PAGE, Server, server_of
from support.waiting import wait_for


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[Server]:
    with server_of("serve", tmp_path) as running:
        running.wait_until("ready")
        yield running


def replace(jupyter: Server) -> None:
    """Make MLflow report it; wait until that process has ended."""
    pid = jupyter.request("/report-replaced")[2]
    wait_for(lambda: f"MLflow ended (pid {pid})" in jupyter.log.read_text())


def test_the_next_process_answers_the_next_request(jupyter: Server) -> None:
    pid = jupyter.child.pid
    jupyter.request("/report-replaced")
    status, _, body = jupyter.request("/api/x", "POST", body="{}")
    assert (status, body) == (200, str(jupyter.child.pid))
    assert body != str(pid)
    log = jupyter.log.read_text()
    assert f"Stopping MLflow (pid {pid}): /store is no longer the file that it has opened" in log
    assert f"Started MLflow (pid {body}): restart with another store" in log


def test_a_page_shows_why(jupyter: Server, tmp_path: Path) -> None:
    jupyter.run_stand_in("hang", tmp_path)
    jupyter.request("/report-replaced")
    wait_for(lambda: '<body data-state="starting"' in jupyter.request("/", headers=PAGE)[2])


def test_replacements_in_a_row_are_bounded_and_the_next_use_tries_again(jupyter: Server) -> None:
    for _ in range(MAX_REPLACEMENTS):
        assert jupyter.status()["state"] != "failed"
        replace(jupyter)
    status = jupyter.wait_until("failed")
    assert status["reason"] == f"/store was replaced {MAX_REPLACEMENTS} times in a row."
    assert "Stop the program that replaces it" in status["remedy"]
    _, _, body = jupyter.request("/api/x")
    assert status["reason"] in json.loads(body)["message"]
    wait_for(lambda: jupyter.request("/api/x")[0] == 200)
    replace(jupyter)  # the count begins anew
    assert jupyter.request("/api/x")[0] == 200


def test_requests_that_wait_get_the_reason_of_a_failure(jupyter: Server, tmp_path: Path) -> None:
    jupyter.run_stand_in("failing", tmp_path)
    replace(jupyter)
    status, _, body = jupyter.request("/api/x")
    assert (status, "It is <broken>." in body) == (503, True)
