"""What is done about each kind of request in each state of MLflow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from mlflow_proxy.addresses import DASHBOARD_FRAME, IDLE_HEADER, INPUT, TELEMETRY, TRACE_PAGE, WAIT
from mlflow_proxy.reports import Failure
from mlflow_proxy.status import BY_USER, Retries, State, Status
from mlflow_proxy.web.decide import Decision, Request, decide
from mlflow_proxy.web.pages import unavailable

PAGE = {"Accept": "text/html,application/xhtml+xml"}
POLL = {IDLE_HEADER: "1000"}
FILE = "/static-files/static/js/main.js"
FAILURE = Failure("It is broken.", "Mend it.")

REQUESTS = {
    "page": Request("GET", "/", PAGE),
    "program": Request("GET", "/api/x", {"Accept": "*/*"}),
    "program's POST": Request("POST", "/api/x", PAGE),
    "program that waits": Request("POST", "/api/x", dict([WAIT])),
    "kernel": Request("POST", "/api/x", {}, waits=True),
    "click": Request("POST", "/api/x", {IDLE_HEADER: "0.2"}),
    "poll": Request("POST", "/api/x", POLL),
    "poll that waits": Request("GET", "/api/x", POLL, waits=True),
    "telemetry": Request("POST", TELEMETRY, {}),
    "hidden frame": Request("GET", "/api/x", {"Referer": f"http://lab/mlflow{DASHBOARD_FRAME}"}),
    "missing file": Request("GET", FILE, {}),
    "input": Request("POST", INPUT, {}),
}
P, W, R, U = Decision.PROXY, Decision.WAKE, Decision.RETRY, Decision.UNAVAILABLE
PAGE_, INPUT_ = Decision.PAGE, Decision.INPUT
# In the order of `REQUESTS`. Of a file, it is not yet known where it is.
TABLE = {
    "stopped": [PAGE_, R, R, W, W, R, U, U, U, U, U, INPUT_],
    "first start": [PAGE_, U, U, P, P, U, U, P, U, U, U, INPUT_],
    "ready": [P, P, P, P, P, P, P, P, P, U, P, INPUT_],
    "idle": [PAGE_, W, W, W, W, W, U, U, U, U, U, INPUT_],
    "stopped by the user": [PAGE_, W, W, W, W, W, U, U, U, U, U, INPUT_],
    "start after a stop": [PAGE_, P, P, P, P, P, P, P, P, U, P, INPUT_],
    "start after a failure": [PAGE_, U, U, P, P, U, U, P, U, U, U, INPUT_],
    "failed a moment ago": [PAGE_, U, U, U, U, U, U, U, U, U, U, INPUT_],
    "failed": [PAGE_, R, R, W, W, R, U, U, U, U, U, INPUT_],
    "failed in an upgrade": [PAGE_, U, U, U, U, U, U, U, U, U, U, INPUT_],
}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def status_in() -> Callable[[str], Status]:
    """A function that returns the status in a state of `TABLE`."""

    def make(state: str) -> Status:
        clock = Clock()
        status = Status(deque(), retries=Retries(clock), has_started=state != "stopped")
        match state:
            case "first start":
                status.state = State.STARTING
            case "ready":
                status.state, status.has_served = State.READY, True
            case "idle":
                status.has_served = True
            case "stopped by the user":
                status.has_served, status.stop_reason = True, BY_USER
            case "start after a stop":
                status.state, status.has_served = State.STARTING, True
            case "start after a failure":
                status.state, status.has_served = State.STARTING, True
                status.retried = FAILURE
            case "failed" | "failed a moment ago" | "failed in an upgrade":
                status.state, status.failure = State.FAILED, FAILURE
                status.retries.count()
                if state != "failed a moment ago":
                    clock.now += 100
                if state == "failed in an upgrade":
                    status.retries.leave_to_people()
        return status

    return make


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_in_a_state(status_in: Callable[[str], Status], state: str, kind: str) -> None:
    expected = TABLE[state][[*REQUESTS].index(kind)]
    assert decide(REQUESTS[kind], status_in(state)) is expected


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize(
    ("request_", "decision"),
    [
        (Request("GET", FILE, {}), Decision.STATIC_FILE),
        (Request("HEAD", FILE, POLL), Decision.STATIC_FILE),
        (Request("GET", DASHBOARD_FRAME, PAGE), Decision.DASHBOARD_FRAME),
        (Request("GET", FILE, PAGE), None),  # a person has opened it
        (Request("POST", FILE, {}), None),
        (Request("GET", TRACE_PAGE, {}), None),  # MLflow's process changes pages
        (Request("GET", "/static-files/../../etc/passwd", {}), None),
        (Request("GET", "/static-files/..%2Fsecret", {}), None),
        (Request("GET", "/static-files/", {}), None),
        (Request("GET", "/static-files-2/main.js", {}), None),
    ],
)
def test_static_files_are_answered_in_each_state_once_their_folder_is_known(
    status_in: Callable[[str], Status], state: str, request_: Request, decision: Decision | None
) -> None:
    status = status_in(state)
    without = decide(request_, status)
    assert without not in (Decision.STATIC_FILE, Decision.DASHBOARD_FRAME)
    status.static_folder = Path("/folder")
    assert decide(request_, status) is (decision or without)


@pytest.mark.parametrize(
    ("method", "accept", "wants_page"),
    [
        ("GET", PAGE["Accept"], True),
        ("HEAD", "text/html", True),
        ("GET", "application/json", False),
        ("GET", "", False),
        ("POST", "text/html", False),
    ],
)
def test_only_get_and_head_with_accept_html_get_a_page(
    method: str, accept: str, wants_page: bool
) -> None:
    assert Request(method, "/", {"Accept": accept} if accept else {}).wants_page is wants_page


def test_programs_read_why_a_start_fails(status_in: Callable[[str], Status]) -> None:
    for state in ("failed a moment ago", "failed", "start after a failure"):
        answer = unavailable(REQUESTS["program"], status_in(state))
        assert answer.status == 503
        assert b"It is broken. Mend it." in answer.body
    assert b"broken" not in unavailable(REQUESTS["program"], status_in("first start")).body


def test_a_kernel_that_has_waited_is_told_to_try_no_further(
    status_in: Callable[[str], Status],
) -> None:
    """MLflow's client repeats what gets a 503."""
    assert unavailable(REQUESTS["kernel"], status_in("failed a moment ago")).status == 424
    assert unavailable(REQUESTS["kernel"], status_in("idle")).status == 503
