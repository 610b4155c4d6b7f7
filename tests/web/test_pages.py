"""What browsers and programs get while MLflow starts for the first time, however they ask."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psutil
import pytest

from support.server import PAGE, Server, server_of

MAX_MORE_MEMORY = 20 << 20  # bytes
UNAVAILABLE = b"HTTP/1.1 503 "


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose MLflow never gets ready."""
    with server_of("hang", tmp_path_factory.mktemp("root"), first=True, start_timeout=300.0) as it:
        yield it


@pytest.fixture
def under_attack(jupyter: Server) -> Iterator[Server]:
    """That server; checked after the test."""
    memory = psutil.Process(jupyter.process.pid).memory_full_info().uss
    yield jupyter
    check(jupyter)
    assert psutil.Process(jupyter.process.pid).memory_full_info().uss - memory < MAX_MORE_MEMORY


def check(jupyter: Server) -> None:
    """Assert that other clients are answered quickly, and that no request was an error."""
    began = time.monotonic()
    assert jupyter.request("/", headers=PAGE)[0] == 200
    assert jupyter.request("/api/x")[0] == 503
    assert time.monotonic() - began < 2
    assert "Traceback" not in jupyter.lab.log.read_text()


def test_a_browser_gets_a_page(jupyter: Server) -> None:
    status, headers, body = jupyter.request("/", headers=PAGE)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'nonce-")
    assert '<body data-state="starting"' in body
    assert 'role="progressbar"' in body
    assert not re.search(r'(?:src|href)="(?:https?:)?//', body)


def test_a_head_response_has_no_body(jupyter: Server) -> None:
    status, headers, body = jupyter.request("/", "HEAD", PAGE)
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    ("method", "accept"), [("GET", "*/*"), ("POST", "text/html"), ("DELETE", "*/*")]
)
def test_a_program_gets_503_with_retry_after(jupyter: Server, method: str, accept: str) -> None:
    status, headers, body = jupyter.request("/api/x", method, {"Accept": accept}, "{}")
    assert status == 503
    assert headers["Cache-Control"] == "no-store"
    assert 1 <= int(headers["Retry-After"]) <= 30
    assert json.loads(body) == {
        "error_code": "TEMPORARILY_UNAVAILABLE",
        "message": "MLflow is starting.",
    }


def test_mlflows_client_gets_429_for_a_post(jupyter: Server) -> None:
    client = {"User-Agent": "mlflow-python-client/3.18.0"}
    for method, code in [("GET", 503), ("POST", 429)]:
        status, headers, body = jupyter.request("/api/x", method, client, "{}")
        assert status == code
        assert 1 <= int(headers["Retry-After"]) <= 30
        assert json.loads(body)["message"] == "MLflow is starting."


def test_a_large_upload_is_answered(under_attack: Server) -> None:
    assert under_attack.request("/api/x", "POST", body="x" * 5_000_000)[0] == 503


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("GET {path}/api/x HTTP/1.0", 503),
        ("GET {path}/static-files/../../../../etc/passwd HTTP/1.1", 503),
        ("GET {path}/static-files/%00%2e%2e/" + "a" * 5000 + " HTTP/1.1", 503),
        ("GET {path}/_proxy_dashboard/ HTTP/1.1", 503),
        ("GET {path}/_proxy/x HTTP/1.1", 503),
        ("GET {path}/api/x HTTP/1.1\nX: " + "x" * 100_000, 400),
        ("POST {path}/api/x HTTP/1.1\nContent-Length: -1", 400),
        ("POST {path}/api/x HTTP/1.1\nContent-Length: 3\nContent-Length: 4", 400),
    ],
)
def test_every_request_is_answered(under_attack: Server, first: str, status: int) -> None:
    with under_attack.sending(first) as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    # tornado closes the connection on a head that is too long.
    assert answer.startswith(b"HTTP/1.1 %d " % status) or (status == 400 and not answer)
    assert answer.count(b"HTTP/1.1") <= 1


def test_two_hundred_simultaneous_requests_are_answered(under_attack: Server) -> None:
    with ThreadPoolExecutor(200) as pool:
        asked = [pool.submit(under_attack.request, "/api/x") for _ in range(200)]
        assert {each.result()[0] for each in asked} == {503}


def test_clients_that_never_read_or_never_finish_do_not_block_others(under_attack: Server) -> None:
    head = "GET {path}/ HTTP/1.1\nAccept: text/html"
    upload = "POST {path}/api/x HTTP/1.1\nContent-Length: 1000000000"
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(under_attack.sending(head))
            stack.enter_context(under_attack.sending(upload, b"x" * 1000))
        check(under_attack)
