"""The next request starts MLflow anew when its store was replaced; no request is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlflow_proxy.addresses import IDLE_HEADER
from support.server import PAGE, Server, server_of
from support.waiting import wait_for


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[Server]:
    replace(tmp_path)
    with server_of("serve", tmp_path) as running:
        running.wait_until("ready")
        yield running


def replace(folder: Path) -> None:
    """Replace the store in `folder`."""
    (folder / "new").write_text("new")
    (folder / "new").rename(folder / "store")


def test_the_next_process_answers_the_next_request(jupyter: Server, tmp_path: Path) -> None:
    pid = jupyter.child.pid
    assert jupyter.request("/api/x", "POST", body="{}")[2] == str(pid)
    replace(tmp_path)
    assert jupyter.request("/api/x", headers={IDLE_HEADER: "1000"})[2] == str(pid)  # is no use
    status, _, body = jupyter.request("/api/x", "POST", body="{}")
    assert (status, body) == (200, str(jupyter.child.pid))
    assert body != str(pid)
    log = jupyter.log.read_text()
    assert f"{tmp_path}/store is no longer the file that MLflow has opened" in log
    assert f"Started MLflow (pid {body}): replaced" in log
    wait_for(lambda: f"MLflow ended (pid {pid})" in jupyter.log.read_text())


def test_a_page_shows_why(jupyter: Server, tmp_path: Path) -> None:
    jupyter.run_stand_in("hang", tmp_path)
    replace(tmp_path)
    assert '<body data-state="starting"' in jupyter.request("/", headers=PAGE)[2]
    assert jupyter.status()["text"] == f"{tmp_path}/store was replaced."


def test_requests_that_wait_get_the_reason_of_a_failure(jupyter: Server, tmp_path: Path) -> None:
    jupyter.run_stand_in("failing", tmp_path)
    replace(tmp_path)
    status, _, body = jupyter.request("/api/x")
    assert (status, "It is <broken>." in body) == (503, True)
