"""A failed start is tried again by the requests of programs, less and less often."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlflow_proxy.addresses import IDLE_HEADER
from mlflow_proxy.status import RETRY_INTERVAL, Retries
from support.server import Server, server_of
from support.waiting import wait_for

REASON = "It is <broken>. Mend it."
STARTED = "Started MLflow (pid "


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_programs_retry_a_failed_start_less_and_less_often() -> None:
    clock = Clock()
    retries = Retries(clock)
    assert (retries.seconds, retries.is_due_for_people) == (0, True)
    delays = []
    for _ in range(7):
        retries.count()
        delays.append(retries.seconds)
        assert not retries.is_due_for_people
        clock.now += RETRY_INTERVAL
        assert retries.is_due_for_people
        clock.now += retries.seconds
        assert retries.seconds == 0
    assert delays == [3, 6, 12, 24, 48, 60, 60]


def test_a_failure_can_be_left_to_people() -> None:
    clock = Clock()
    retries = Retries(clock)
    retries.count()
    retries.leave_to_people()
    clock.now += 1e9
    assert (retries.seconds, retries.is_due_for_people) == (math.inf, True)
    retries.count()
    assert retries.seconds == 6


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[Server]:
    """A server in which MLflow's start has just failed."""
    with server_of("failing", tmp_path) as running:
        running.wait_until("failed")
        yield running


def starts(jupyter: Server) -> int:
    return jupyter.log.read_text().count(STARTED)


def test_many_programs_start_it_as_often_as_one_and_are_told_when(
    jupyter: Server, tmp_path: Path
) -> None:
    began, waits = time.monotonic(), []
    while starts(jupyter) == 1:
        status, headers, body = jupyter.request("/api/x")
        message = json.loads(body)["message"]
        assert status == 503
        assert message in (REASON, f"MLflow is starting. The last start failed. {REASON}")
        if message == REASON:  # not while the next start is on its way
            waits.append(int(headers["Retry-After"]))
        # A poll does not start it.
        assert jupyter.request("/api/x", headers={IDLE_HEADER: "1000"})[0] == 503
    assert RETRY_INTERVAL - 1 < time.monotonic() - began < 2 * RETRY_INTERVAL
    assert waits == sorted(waits, reverse=True)
    assert 1 <= waits[0] <= RETRY_INTERVAL
    jupyter.wait_until("failed")
    _, headers, _ = jupyter.request("/api/x")
    assert RETRY_INTERVAL < int(headers["Retry-After"]) <= 2 * RETRY_INTERVAL
    assert starts(jupyter) == 2

    (tmp_path / "mended").touch()
    wait_for(lambda: jupyter.request("/api/x", "POST", body="{}")[0] == 200)
    assert starts(jupyter) == 3
    (tmp_path / "mended").unlink()
    jupyter.child.kill()  # success has reset the interval
    jupyter.wait_until("failed")
    assert int(jupyter.request("/api/x")[1]["Retry-After"]) <= RETRY_INTERVAL


def test_a_failed_upgrade_is_left_to_a_person(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with server_of("outdated", tmp_path) as jupyter:
        jupyter.wait_until("failed")
        jupyter.upgrade()
        wait_for(lambda: "was killed" in jupyter.wait_until("failed")["reason"])
        began = time.monotonic()
        while time.monotonic() - began < RETRY_INTERVAL + 1:
            _, headers, body = jupyter.request("/api/x")
            assert f"kept at {tmp_path / 'copy'}" in json.loads(body)["message"]
            assert int(headers["Retry-After"]) == 60
            time.sleep(0.1)
        jupyter.try_again()
        wait_for(lambda: "It is old." in jupyter.status()["reason"])
