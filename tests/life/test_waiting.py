"""A request that asks to wait is held while MLflow starts; others are told to come back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlflow_proxy.addresses import WAIT
from support.supervisor import supervisor_of

WAITING = dict([WAIT])


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_the_first_request_is_answered_by_mlflow(tmp_path: Path, method: str) -> None:
    with supervisor_of("serve", tmp_path) as supervisor:
        status, _, body = supervisor.request("/api/x", method, WAITING, "{}")
        assert (status, body) == (200, str(supervisor.child.pid))


def test_many_requests_are_answered_and_others_are_not_held(tmp_path: Path) -> None:
    with supervisor_of("serve", tmp_path) as supervisor, ThreadPoolExecutor(20) as pool:
        other = supervisor.request("/api/x")[0]
        asked = [pool.submit(supervisor.request, "/api/x", "POST", WAITING) for _ in range(20)]
        assert {each.result()[0] for each in asked} == {200}
        assert other == 503


def test_after_a_crash_a_request_is_answered_by_the_next_process(tmp_path: Path) -> None:
    with supervisor_of("serve", tmp_path) as supervisor:
        supervisor.wait_until("ready")
        child = supervisor.child
        child.kill()
        supervisor.wait_until("starting")
        status, _, body = supervisor.request("/api/x", "POST", WAITING)
        assert status == 200
        assert int(body) != child.pid


def test_a_failure_is_the_answer(tmp_path: Path) -> None:
    with supervisor_of("failing", tmp_path) as supervisor:
        status, headers, body = supervisor.request("/api/x", "POST", WAITING)
        assert status == 503
        assert int(headers["Retry-After"]) >= 1
        assert json.loads(body)["message"] == "It is <broken>. Mend it."
