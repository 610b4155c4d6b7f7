"""Slow, numerous or malformed clients: the supervisor's memory is bounded, others are served."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

import psutil
import pytest

from mlflow_proxy.supervisor.front import http
from mlflow_proxy.supervisor.front.server import MAX_UNREAD
from support.supervisor import PAGE, Supervisor, supervisor_of
from support.waiting import wait_for

MAX_MEMORY = 40 * 2**20  # bytes
END = b"\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 "


@pytest.fixture(scope="module")
def shared_supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    folder = tmp_path_factory.mktemp("supervisor")
    with supervisor_of("hang", folder, "--start-timeout=120") as supervisor:
        yield supervisor


@pytest.fixture
def supervisor(shared_supervisor: Supervisor) -> Iterator[Supervisor]:
    """A supervisor whose child never gets ready; checked after each test."""
    yield shared_supervisor
    check(shared_supervisor)


def check(supervisor: Supervisor) -> None:
    """Assert that other clients are answered quickly and peak memory is below `MAX_MEMORY`."""
    began = time.monotonic()
    assert supervisor.request("/", headers=PAGE)[0] == 200
    assert supervisor.request("/api/x")[0] == 503
    assert time.monotonic() - began < 2
    assert most_memory(supervisor) < MAX_MEMORY
    assert "could not be answered" not in supervisor.log.read_text()


def most_memory(supervisor: Supervisor) -> int:
    """Peak memory in bytes (RSS, including shared libraries)."""
    if sys.platform != "linux":
        return psutil.Process(supervisor.process.pid).memory_info().rss
    status = Path(f"/proc/{supervisor.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@contextmanager
def connections(supervisor: Supervisor, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
        for each in sockets:
            each.settimeout(15)
            each.connect(str(supervisor.socket))
        yield sockets


def send(connection: socket.socket, data: bytes) -> int:
    """Send as much of `data` as the socket takes without blocking; returns the bytes sent."""
    connection.setblocking(False)
    sent = 0
    try:
        while sent < len(data):
            sent += connection.send(data[sent:])
    except (BlockingIOError, ConnectionError):
        pass
    connection.settimeout(15)
    return sent


def answer_on(connection: socket.socket) -> bytes:
    """Read the response until the server closes the connection."""
    answer = b""
    while data := connection.recv(65536):
        answer += data
    return answer


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except BlockingIOError:
        return False


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"BREW /api/x HTTP/1.1", 503),
        (b"GET /api/x HTTP/1.0", 503),
        (b"get /api/x HTTP/1.1\r\nno colon", 400),
        (b"GET /api/x HTTP/3", 400),
        (b"CONNECT x:443 HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"PRI * HTTP/2.0", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00", 400),
        (b"\x00\xff", 400),
        (b"GET /static-files/../../../../etc/passwd HTTP/1.1", 503),
        (b"GET /static-files/%00%2e%2e/" + b"a" * 5000 + b" HTTP/1.1", 503),
        (b"GET /api/x HTTP/1.1\r\nX: " + b"x" * http.MAX_HEAD, 431),
    ],
)
def test_every_request_is_answered(supervisor: Supervisor, request_: bytes, status: int) -> None:
    with connections(supervisor, 1) as (connection,):
        connection.sendall(request_ + END)
        assert answer_on(connection).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked" + END + b"zz\r\nnonsense",
        b"Transfer-Encoding: chunked" + END + b"ffffffffffffffff\r\n",
        b"Content-Length: -1" + END,
        b"Content-Length: 1000000000000" + END + b"not that much",
        b"Content-Length: 3\r\nContent-Length: 4" + END + b"GET / HTTP/1.1" + END,
    ],
)
def test_malformed_body_is_answered_once(supervisor: Supervisor, body: bytes) -> None:
    with connections(supervisor, 1) as (connection,):
        connection.sendall(b"POST /api/x HTTP/1.1\r\n" + body)
        answer = answer_on(connection)
    assert answer.startswith(UNAVAILABLE)
    assert answer.count(b"HTTP/1.1") == 1


def test_oversized_headers_of_many_clients_are_refused(supervisor: Supervisor) -> None:
    head = b"GET /api/x HTTP/1.1\r\n" + b"X: " + b"x" * 2**20
    with connections(supervisor, 200) as many:
        for each in many:
            send(each, head)
        for each in many:
            assert answer_on(each).startswith(b"HTTP/1.1 431 ")


def test_two_hundred_simultaneous_requests_are_answered_during_start(
    supervisor: Supervisor,
) -> None:
    assert supervisor.status()["state"] == "starting"
    with connections(supervisor, 200) as many:
        for each in many:
            each.sendall(b"GET /api/x HTTP/1.1" + END)
        for each in many:
            assert answer_on(each).startswith(UNAVAILABLE)


def test_clients_that_never_finish_headers_do_not_block_others(supervisor: Supervisor) -> None:
    with connections(supervisor, 2 * MAX_UNREAD) as many:
        for each in many:
            send(each, b"GET / HTTP/1.1\r\nX: " + b"x" * (http.MAX_HEAD - 100))
        check(supervisor)
        wait_for(lambda: supervisor.status() and is_closed(many[0]))
        many[-1].sendall(END)
        assert answer_on(many[-1]).startswith(UNAVAILABLE)
        for each in many:
            send(each, b"x")


def test_clients_that_never_read_do_not_block_others(supervisor: Supervisor) -> None:
    with connections(supervisor, 200) as many:
        for each in many:
            each.sendall(b"GET / HTTP/1.1\r\nAccept: text/html" + END)
        check(supervisor)
        for each in many:
            send(each, b"x" * 2**20)
        check(supervisor)


def test_slow_headers_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_TIMEOUT", 0.05)

    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"GET / HTTP/1.1\r\n")
        await http.read_request(reader)

    with pytest.raises(http.BadRequestError) as caught:
        asyncio.run(read())
    assert caught.value.status is HTTPStatus.REQUEST_TIMEOUT
