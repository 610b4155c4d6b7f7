"""A failed start is tried again by the requests of programs; no page is opened."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlflow_proxy.addresses import IDLE_HEADER, TELEMETRY
from support.supervisor import Supervisor, supervisor_of
from support.waiting import wait_for

REASON = "It is <broken>. Mend it."
STARTED = "Started MLflow (pid "


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor whose first start has failed."""
    with supervisor_of("failing", tmp_path) as running:
        running.wait_until("failed")
        yield running


def starts(supervisor: Supervisor) -> int:
    return supervisor.log.read_text().count(STARTED)


@pytest.mark.parametrize(("method", "body"), [("GET", ""), ("POST", "{}"), ("PUT", "{}")])
def test_a_program_is_answered_once_the_cause_is_mended(
    supervisor: Supervisor, tmp_path: Path, method: str, body: str
) -> None:
    (tmp_path / "mended").touch()
    wait_for(lambda: supervisor.request("/api/x", method, body=body)[0] == 200)
    assert starts(supervisor) == 2


def test_each_answer_has_the_reason_and_the_time_of_the_next_try(supervisor: Supervisor) -> None:
    waits = []
    for count in range(2, 4):
        status, headers, body = supervisor.request("/api/x")
        message = json.loads(body)["message"]
        assert (status, message) == (503, REASON)
        waits.append(int(headers["Retry-After"]))
        time.sleep(waits[-1])  # as a client does
        status, _, body = supervisor.request("/api/x")
        message = json.loads(body)["message"]
        assert (status, message) == (503, f"MLflow is starting. The last start failed. {REASON}")
        wait_for(lambda: starts(supervisor) == count)  # noqa: B023
        supervisor.wait_until("failed")
    assert 1 <= waits[0] <= 3 < waits[1] <= 6


def test_many_programs_start_it_as_often_as_one(supervisor: Supervisor) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 8:
        assert supervisor.request("/api/x")[0] == 503
    assert starts(supervisor) == 2  # the next is due 6 s after the second failure


def test_success_resets_the_interval(supervisor: Supervisor, tmp_path: Path) -> None:
    wait_for(lambda: supervisor.request("/api/x") and starts(supervisor) == 2)
    (tmp_path / "mended").touch()
    wait_for(lambda: supervisor.request("/api/x")[0] == 200)
    (tmp_path / "mended").unlink()
    supervisor.child.kill()
    supervisor.wait_until("failed")
    assert int(supervisor.request("/api/x")[1]["Retry-After"]) <= 3


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/x", {IDLE_HEADER: "1000"}),
        ("/_proxy/status", {}),
        ("/static-files/x.js", {}),
        (TELEMETRY, {}),
    ],
)
def test_what_is_no_use_starts_nothing(
    supervisor: Supervisor, path: str, headers: dict[str, str]
) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 4:
        supervisor.request(path, headers=headers)
    assert starts(supervisor) == 1
    supervisor.request("/api/x", headers={IDLE_HEADER: "0.1"})  # a click does
    wait_for(lambda: starts(supervisor) == 2)


def test_a_failed_upgrade_is_left_to_a_person(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with supervisor_of("outdated", tmp_path) as supervisor:
        supervisor.wait_until("failed")
        supervisor.repair("upgrade")
        supervisor.wait_until("failed")
        began = time.monotonic()
        while time.monotonic() - began < 4:
            _, headers, body = supervisor.request("/api/x")
            assert f"kept at {tmp_path / 'copy'}" in json.loads(body)["message"]
            assert int(headers["Retry-After"]) == 60
        supervisor.try_again()
        supervisor.wait_until("failed")
        assert "It is old." in supervisor.status()["reason"]
