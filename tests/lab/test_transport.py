"""HTTP transport between a client and the upstream behind `/mlflow/`, through Jupyter."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from support.lab import TOKEN, Lab, lab_server
from support.upstream import (
    PREFIX,
    answer_on,
    connection_to,
    head,
    report,
    send,
    told,
    upstream_config,
)
from support.waiting import wait_for
from support.watch import watch_of

pytestmark = pytest.mark.release
MB = 1_000_000
BODY = bytes(range(256)) * 20_000  # 5 MB, more than max_body_size
PIECE = b"x" * 65536
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("transport")
    with lab_server(home, config=upstream_config(home), base_url="/some/base/") as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Lab:
    """A Lab with `resources/upstream.py` in place of MLflow."""
    shared_lab.wait_until("ready")
    return shared_lab


def was_received(lab: Lab, path: str) -> bool:
    return path in report(lab)["requests"]


def has_ended(lab: Lab, path: str) -> bool:
    return path in report(lab)["ended"]


# Requests


def test_a_request_is_forwarded_unchanged(lab: Lab) -> None:
    path = "/echo/a%2Fb%25c+d%20e//f/../g/./h;i=1,2&%7E~%e4%bd%a0?q=%2F+%20&&x=a%26b&q=/?:@'"
    sent = [
        "Accept: application/json, */*;q=0.1",
        "Accept-Encoding: br",
        "Cookie: a=1; b=2",
        'If-None-Match: W/"x"',
        "Range: bytes=5-9",
        "Referer: https://lab.example/?a=b",
        "User-Agent: me",
        "X-Empty: ",
        "X-Many: 1",
        "X-Many: 2, 3",
        "X-Text: \xc3\xa4",  # UTF-8
        "X-Long: " + "y" * 20_000,
    ]
    with connection_to(lab) as connection:
        connection.sendall(head("GET", path, *sent))
        came = json.loads(answer_on(connection).read())
    assert came["target"] == path
    headers = [f"{name}: {value}" for name, value in came["headers"]]
    assert headers[0] == "Host: localhost"
    assert [header for header in headers if header in sent or header == "X-Empty:"] == sent
    added = {header for header in headers[1:] if header not in sent and "X-Empty" not in header}
    assert added == {
        f"Authorization: token {TOKEN}",
        "Connection: keep-alive",
        f"X-Forwarded-Context: {PREFIX}",
        f"X-Proxycontextpath: {PREFIX}",
        f"X-Forwarded-Prefix: {PREFIX}",
    }


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_forwards_its_body(lab: Lab, method: str, is_chunked: bool) -> None:
    pieces = (BODY[at : at + 70_000] for at in range(0, len(BODY), 70_000))
    data = pieces if is_chunked else BODY
    came = lab.session.request(method, f"{lab.mlflow_url}/echo", data=data, timeout=30).json()
    assert came["method"] == method
    assert came["size"] == len(BODY)
    assert came["sha256"] == hashlib.sha256(BODY).hexdigest()
    headers = {name.lower() for name, _ in came["headers"]}
    assert "content-type" not in headers
    assert ("content-length" in headers, "transfer-encoding" in headers) == (
        not is_chunked,
        is_chunked,
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_request_without_a_body_stays_without(lab: Lab, method: str) -> None:
    with connection_to(lab) as connection:
        connection.sendall(head(method, "/echo"))
        came = json.loads(answer_on(connection).read())
    headers = {name.lower(): value for name, value in came["headers"]}
    assert "content-type" not in headers
    assert "transfer-encoding" not in headers
    assert headers.get("content-length", "0") == "0"


def test_hop_by_hop_headers_are_not_forwarded(lab: Lab) -> None:
    sent = ("Connection: keep-alive, X-Mine", "X-Mine: 1", "Keep-Alive: 5", "TE: trailers")
    with connection_to(lab) as connection:
        connection.sendall(head("GET", "/echo", *sent, "Proxy-Authorization: x", "Upgrade: h2c"))
        came = json.loads(answer_on(connection).read())
    names = {name.lower() for name, _ in came["headers"]}
    assert not names & {"x-mine", "keep-alive", "te", "proxy-authorization", "upgrade"}


def test_expect_100_continue_is_answered(lab: Lab) -> None:
    with connection_to(lab) as connection:
        connection.sendall(head("PUT", "/echo", "Content-Length: 4", "Expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"body")
        came = json.loads(answer_on(connection).read())
    assert came["size"] == 4
    assert "Expect" not in dict(came["headers"])


def test_jupyters_body_limit_applies_outside_mlflow(lab: Lab) -> None:
    with connection_to(lab) as connection:
        request = head("PUT", "/", "Content-Length: 1000001")
        connection.sendall(request.replace(b"/mlflow/", b"/api/contents/a.txt"))
        assert answer_on(connection).status == 400


def test_an_upload_without_jupyters_token_is_refused(lab: Lab) -> None:
    with connection_to(lab) as connection:
        length = "Content-Length: 1000000000"
        connection.sendall(head("PUT", "/echo/secret", length, token=None) + PIECE)
        assert answer_on(connection).status == 403
    assert not was_received(lab, "/echo/secret")


# Responses


def headers_of(answer: http.client.HTTPResponse) -> list[tuple[str, str]]:
    """The headers without those that Jupyter adds: a cookie and the frame-ancestors policy."""
    ours = ("username-", "frame-ancestors ")
    return [header for header in answer.getheaders() if not header[1].startswith(ours)]


def test_a_response_is_forwarded_unchanged(lab: Lab) -> None:
    path = told(
        "HTTP/1.1 299 Quite Odd\n"
        "Set-Cookie: a=1; Path=/\n"
        "Set-Cookie: b=2\n"
        'ETag: "x"\n'
        "X-Text: ä\n"
        f"X-Long: {'y' * 30_000}\n"
        "Content-Type: text/plain\n"
        "Connection: close, X-Mine\n"
        "X-Mine: 1\n"
        "Content-Length: 5",
        b"hello",
    )
    with connection_to(lab) as connection:
        connection.sendall(head("GET", path, "Accept-Encoding: gzip"))
        answer = answer_on(connection)
        assert (answer.status, answer.reason) == (299, "Quite Odd")
        assert answer.read() == b"hello"
    assert headers_of(answer) == [
        ("Set-Cookie", "a=1; Path=/"),
        ("Set-Cookie", "b=2"),
        ("Etag", '"x"'),
        ("X-Text", "ä".encode().decode("latin-1")),
        ("X-Long", "y" * 30_000),
        ("Content-Type", "text/plain"),
        ("Content-Length", "5"),
    ]


def test_compressed_responses_stay_compressed(lab: Lab) -> None:
    body = gzip.compress(b"hello")
    described = f"Content-Encoding: gzip\nContent-Length: {len(body)}"
    answer = lab.get(told(f"HTTP/1.1 200 OK\n{described}", body), stream=True)
    assert answer.headers["Content-Length"] == str(len(body))
    assert answer.raw.read(decode_content=False) == body


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", "HTTP/1.1 200 OK\nContent-Length: 12345"),
        ("GET", 'HTTP/1.1 304 Not Modified\nETag: "x"'),
        ("GET", "HTTP/1.1 204 No Content"),
        ("DELETE", "HTTP/1.1 204 No Content"),
    ],
)
def test_responses_without_a_body_are_forwarded(lab: Lab, method: str, answer: str) -> None:
    with connection_to(lab) as connection:
        connection.sendall(head(method, told(answer)))
        came = answer_on(connection, method)
        assert came.read() == b""
        sent = answer.split("\n")
        assert f"HTTP/1.1 {came.status} {came.reason}" == sent[0]
        described = [f"{name}: {value}" for name, value in headers_of(came)]
        assert [line.lower() for line in described] == [line.lower() for line in sent[1:]]
        # The connection is still usable: the next request is answered.
        connection.sendall(head("GET", "/_proxy/status"))
        assert json.loads(answer_on(connection).read())["state"] == "ready"


def test_a_partial_response_is_forwarded(lab: Lab) -> None:
    described = "Content-Range: bytes 1-3/10\nContent-Length: 3"
    answer = lab.get(told(f"HTTP/1.1 206 Partial Content\n{described}", b"abc"))
    assert (answer.status_code, answer.content) == (206, b"abc")
    assert answer.headers["Content-Range"] == "bytes 1-3/10"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/a%2Fb?c=/d", f"{PREFIX}/a%2Fb?c=/d"),
        ("a/b", "a/b"),
        ("//other.example/a", "//other.example/a"),
        ("https://other.example/a", "https://other.example/a"),
    ],
)
def test_redirects_get_the_mlflow_prefix(lab: Lab, location: str, expected: str) -> None:
    path = told(f"HTTP/1.1 302 Found\nLocation: {location}\nContent-Length: 0")
    answer = lab.get(path, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"] == expected


def test_server_sent_events_are_not_buffered(lab: Lab) -> None:
    with lab.get("/events?1", stream=True) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.raw.read1() == b"data: 1\n\n"
        lab.get("/go?1")
        assert answer.raw.read1() == b"data: 2\n\n"
        assert answer.raw.read1() == b""


def test_jupyter_server_proxy_handles_websockets(lab: Lab) -> None:
    async def first_message() -> str | bytes | None:
        url = f"{lab.mlflow_url.replace('http', 'ws', 1)}/socket"
        headers = {"Authorization": f"token {TOKEN}"}
        connection = await websocket_connect(HTTPRequest(url, headers=headers))
        message = await connection.read_message()
        connection.close()
        while await connection.read_message() is not None:  # until it is closed
            pass
        return message

    assert asyncio.run(asyncio.wait_for(first_message(), 30)) == "hello"


# Backpressure


def test_a_slow_server_slows_the_upload(lab: Lab) -> None:
    size = 200 * MB
    with connection_to(lab) as connection, watch_of(lab) as watch:
        connection.sendall(head("PUT", "/slow?2", f"Content-Length: {size}"))
        connection.settimeout(2)
        sent = send(connection, size)
        assert sent < 32 * MB
        connection.settimeout(30)
        lab.get("/go?2")
        assert send(connection, size - sent) == size - sent
        assert json.loads(answer_on(connection).read())["size"] == size
    assert watch.growth < 32 * MB


def test_a_slow_client_slows_the_download(lab: Lab) -> None:
    def sent() -> int:
        return report(lab)["sent"].get("/endless?3", 0)

    with connection_to(lab) as connection, watch_of(lab) as watch:
        connection.sendall(head("GET", "/endless?3"))
        wait_for(lambda: 0 < sent() == sent() == sent())
        assert sent() < 32 * MB
    assert watch.growth < 32 * MB


# Disconnects


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/endless?4", ["GET"]),
        ("/stay?5", ["GET"]),
        ("/stay?6", ["PUT", "Content-Length: 1000000000"]),
        ("/stay?7", ["PUT", "Transfer-Encoding: chunked"]),
    ],
)
def test_a_client_disconnect_ends_the_upstream_request(
    lab: Lab, path: str, request_: list[str]
) -> None:
    method, *headers = request_
    with connection_to(lab) as connection:
        connection.sendall(head(method, path, *headers))
        if headers:
            connection.sendall(b"10000\r\n" + PIECE + b"\r\n")
        wait_for(lambda: was_received(lab, path))
        assert not has_ended(lab, path)
    wait_for(lambda: has_ended(lab, path))


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\nContent-Length: 2000000",
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked",
    ],
)
def test_a_truncated_response_is_an_error(lab: Lab, answer: str) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        lab.get(told(answer, b"5\r\nhello\r\n"))


@pytest.mark.parametrize(
    "answer", ["", "HTTP/1.1 2", "nonsense\n", "HTTP/1.1 200 OK\nContent-Length: 1000"]
)
def test_a_missing_or_incomplete_response_is_a_bad_gateway(lab: Lab, answer: str) -> None:
    came = lab.post(told(answer, b"a part"), data=b"x" * MB)
    assert came.status_code == 502
    assert came.json() == {
        "error_code": "TEMPORARILY_UNAVAILABLE",
        "message": "MLflow closed the connection.",
    }


def test_a_download_fails_when_mlflow_is_killed(lab: Lab) -> None:
    answer = lab.get("/endless?8", stream=True)
    assert answer.raw.read(MB)
    lab.mlflow.kill()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        for _ in answer.iter_content(MB):
            pass


def test_an_upload_fails_when_mlflow_exits(lab: Lab) -> None:
    size = 1000 * MB
    with connection_to(lab) as connection:
        connection.sendall(head("PUT", "/die?9", f"Content-Length: {size}"))
        assert send(connection, size) < 100 * MB
    lab.wait_until("ready")
    assert not was_received(lab, "/die?9")  # aiohttp would repeat the request


def test_an_early_refusal_reaches_the_client(lab: Lab) -> None:
    answer = lab.session.put(f"{lab.mlflow_url}/refuse", data=b"x" * 50 * MB, timeout=30)
    assert (answer.status_code, answer.text) == (403, "no")


def test_an_unreachable_mlflow_is_a_503(lab: Lab) -> None:
    (path,) = (lab.home / "tmp").glob("jupyter-server-proxy-*/socket")
    aside = path.rename(path.with_name("aside"))
    try:
        answer = lab.post("/echo", data=b"x" * MB)
    finally:
        aside.rename(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_the_log_contains_no_secrets_or_tracebacks(lab: Lab) -> None:
    assert lab.post(told("HTTP/1.1 2"), data=b"x").status_code == 502
    log = lab.log.read_text()
    assert "MLflow closed the connection: POST" in log
    assert "] 503 " not in log  # a 503 during start is not an error
    for word in ("Authorization", f"token {TOKEN}", "Traceback", "never ", "ResourceWarning"):
        assert word not in log


# Malformed requests


@pytest.mark.parametrize("body", [b"zz\r\nnonsense", b"ffffffffffffffff\r\n", b"5\r\nhello!!!!"])
def test_broken_chunking_ends_the_upstream_request(lab: Lab, body: bytes) -> None:
    path = f"/stay?mad-{body[0]}"
    with connection_to(lab) as connection:
        connection.sendall(head("PUT", path, "Transfer-Encoding: chunked"))
        connection.sendall(b"10000\r\n" + PIECE + b"\r\n")
        wait_for(lambda: was_received(lab, path))
        connection.sendall(body)
        assert connection.recv(100) in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n")
    wait_for(lambda: has_ended(lab, path))


def test_an_unknown_method_is_refused(lab: Lab) -> None:
    with connection_to(lab) as connection:
        connection.sendall(head("BREW", "/echo/brew", "Content-Length: 4") + b"milk")
        assert answer_on(connection).status == 405
    assert not was_received(lab, "/echo/brew")


def test_headers_of_a_megabyte_are_refused(lab: Lab) -> None:
    with connection_to(lab) as connection:
        request = head("GET", "/echo/large", "X: " + "x" * MB)
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            assert answer_on(connection).status in (400, 431)
    assert not was_received(lab, "/echo/large")


def test_an_http_1_0_request_is_answered(lab: Lab) -> None:
    with connection_to(lab) as connection:
        connection.sendall(head("POST", "/echo", "Content-Length: 4").replace(b"/1.1", b"/1.0"))
        connection.sendall(b"body")
        assert json.loads(answer_on(connection).read())["size"] == 4


def test_two_hundred_concurrent_requests_are_answered(lab: Lab) -> None:
    with ExitStack() as stack:
        many = [stack.enter_context(connection_to(lab)) for _ in range(200)]
        for each in many:
            each.sendall(head("GET", "/echo"))
        assert {answer_on(each).status for each in many} == {200}
