"""What passes between a browser and a tracking server elsewhere, on the wire."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from http.client import IncompleteRead

import aiohttp
import pytest
from starlette.requests import Request

from mlflow_proxy.addresses import TRACE_PAGE
from mlflow_proxy.server.remote import client
from mlflow_proxy.server.remote.boundary import ServerAddress
from support import wire
from support.server import PAGE, Connection, Server, mlflow_of
from support.upstream import send as upstream_send
from support.waiting import wait_for
from support.wire import Last, Received, WireServer, wire_server

PREFIX = "/team/mlflow"
BODY = bytes(range(256)) * 20_000  # 5 MB


@pytest.fixture(scope="module")
def server() -> Iterator[WireServer]:
    with wire_server(PREFIX) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: WireServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Jupyter server whose store is `server`."""
    folder = tmp_path_factory.mktemp("remote")
    variables = {"MLFLOW_TRACKING_TOKEN": "the-users-own"}
    with mlflow_of(folder, MLFLOW_BACKEND_STORE_URI=server.url, **variables) as jupyter:
        jupyter.wait_until("ready")
        yield jupyter


def send(
    proxy: Server,
    path: str,
    *headers: tuple[str, str],
    method: str = "GET",
    body: object = None,
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send a request with exactly these headers; returns status, headers and body."""
    connection = Connection(proxy.socket)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", "localhost"), *headers):
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body, encode_chunked=not isinstance(body, bytes))
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


# Requests


def test_a_request_arrives_below_the_servers_address(proxy: Server, server: WireServer) -> None:
    target = "/a%2Fb%25c+d%20e//f/./h;i=1,2&%7E~%e4%bd%a0@x?q=%2F+%20&&x=a%26b&q=/?:@'"
    sent = [("Accept", "a/b"), ("Range", "bytes=5-9"), ("X-MLFLOW-WORKSPACE", "team")]
    assert send(proxy, target, *sent, ("X-MLflow-Client-Version", "3.1"))[0] == 200
    received = server.requests[-1]
    assert received.target == PREFIX + target
    assert {name.lower(): value for name, value in received.headers} == {
        "host": f"localhost:{server.port}",
        "accept": "a/b",
        "range": "bytes=5-9",
        "x-mlflow-workspace": "team",
        "x-mlflow-client-version": "3.1",
        "accept-encoding": "identity",
        "authorization": "Bearer the-users-own",
    }


@pytest.mark.parametrize(
    "header",
    [
        ("Cookie", "_xsrf=secret; username-1=secret"),
        ("Authorization", "token secret"),
        ("Proxy-Authorization", "Basic secret"),
        ("Referer", "http://localhost/lab?token=secret"),
        ("Origin", "http://localhost"),
        ("X-XSRFToken", "secret"),
        ("X-MLflow-Authorization", "Basic secret"),
        ("X-MLflow-Proxy-Idle", "3"),
        ("X-Forwarded-For", "secret"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "/user/secret/mlflow"),
        ("X-Forwarded-Access-Token", "secret"),
        ("X-Auth-Request-Email", "secret"),
        ("Cf-Access-Jwt-Assertion", "secret"),
        ("Forwarded", "for=secret"),
        ("Remote-User", "secret"),
        ("Sec-Fetch-Site", "same-origin"),
        ("X-Api-Key", "secret"),
    ],
)
def test_what_is_jupyters_is_not_sent(
    proxy: Server, server: WireServer, header: tuple[str, str]
) -> None:
    path = f"/api/2.0/mlflow/{header[0]}"
    assert send(proxy, path, header, method="POST", body=b"{}")[0] == 200
    received = server.last(PREFIX + path)
    assert "secret" not in str(received)
    assert received.all("authorization") == ["Bearer the-users-own"]
    others = {name.lower() for name, _ in received.headers} - {"authorization"}
    assert header[0].lower() not in others


def test_a_token_in_the_query_is_not_sent(proxy: Server, server: WireServer) -> None:
    send(proxy, "/query?token=secret&a=1&_xsrf=secret")
    assert server.requests[-1].target == f"{PREFIX}/query?a=1"


@pytest.mark.parametrize(
    "path",
    [
        "/../other",
        "/a/../../../other",
        "/%2e%2e/other",
        "/%2E./other",
        "/a/..%2f..%2f..%2fother",
        "/..\\other",
        "/..%5cother",
        "/%252e%252e/other",
        "/..;/other",
        "/..;a=b/other",
        "/static-files/../other",
        "/static-files/%2e%2e/other",
    ],
)
def test_no_path_leads_above_the_servers(proxy: Server, server: WireServer, path: str) -> None:
    before = len(server.requests)
    status, _, body = send(proxy, path)
    assert status == 400
    assert json.loads(body)["error_code"] == "BAD_REQUEST"
    assert len(server.requests) == before


@pytest.mark.parametrize(
    "path",
    ["http://evil.example/x", "//evil.example/x", "/@evil.example", "/\\evil.example", "*", "%2F"],
)
def test_no_target_names_another_server(proxy: Server, server: WireServer, path: str) -> None:
    status, _, _ = send(proxy, path)
    if status == 200:
        received = server.requests[-1]
        assert received.target.startswith(f"{PREFIX}/")
        assert received.all("host") == [f"localhost:{server.port}"]
    else:
        assert status == 400


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("size", [0, 100, len(BODY)])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_every_method_passes_its_body(
    proxy: Server, server: WireServer, method: str, size: int, is_chunked: bool
) -> None:
    body = BODY[:size]
    chunks = iter([body[:70], body[70:]]) if size and is_chunked else iter(())
    headers = [("Transfer-Encoding", "chunked")] if is_chunked else []
    path = f"/api/{method}/{size}/{is_chunked}"
    status, *_ = send(
        proxy, path, *headers, method=method, body=chunks if is_chunked else body or None
    )
    assert status == 200
    received = server.last(PREFIX + path)
    assert (received.method, received.body) == (method, body)
    assert not received.all("content-type")
    assert len(received.all("content-length") + received.all("transfer-encoding")) <= 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Length: 4\r\nContent-Length: 5", "abcde"),
        ("Content-Length: 4, 5", "abcde"),
        ("Content-Length: +4", "abcd"),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\nGET /smuggled HTTP/1.1"),
        ("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked", "0\r\n\r\n"),
    ],
)
def test_a_request_of_two_lengths_smuggles_none(
    proxy: Server, server: WireServer, headers: str, body: str
) -> None:
    connection = Connection(proxy.socket)
    connection.connect()
    try:
        head = (
            f"POST /lengths HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n\r\n"
        )
        connection.sock.sendall((head + body).encode())
        status = int(connection.sock.recv(1000).split(b" ")[1])
    finally:
        connection.close()
    assert not [each for each in server.requests if "smuggled" in each.target]
    if status != 400:
        (received,) = [each for each in server.requests if each.target == f"{PREFIX}/lengths"][-1:]
        assert len(received.all("content-length") + received.all("transfer-encoding")) == 1


# Responses


def test_what_could_harm_jupyter_is_not_taken(proxy: Server, server: WireServer) -> None:
    harmful = [
        "Set-Cookie: _xsrf=evil; Path=/",
        "Set-Cookie2: a=b",
        "WWW-Authenticate: Basic realm=x",
        "Content-Security-Policy: default-src *",
        "X-Frame-Options: ALLOWALL",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
        'Clear-Site-Data: "cookies"',
        "Strict-Transport-Security: max-age=1",
        "Service-Worker-Allowed: /",
        "Refresh: 0; url=https://evil.example",
        "Link: <https://evil.example>; rel=preload",
        "Alt-Svc: h2=evil",
    ]
    kept = ["ETag: x", "Cache-Control: no-cache", "Content-Disposition: attachment"]
    server.answers[f"{PREFIX}/harmful"] = wire.answer(b"x", *harmful, *kept)
    status, headers, body = send(proxy, "/harmful")
    assert (status, body) == (200, b"x")
    names = {name.lower(): value for name, value in headers}
    ours = {"content-security-policy"}
    assert not names.keys() & ({each.split(":")[0].lower() for each in harmful} - ours)
    assert names["content-security-policy"].startswith("sandbox;")
    assert names["x-content-type-options"] == "nosniff"
    assert [names[each.split(":")[0].lower()] for each in kept] == ["x", "no-cache", "attachment"]


def test_the_page_has_our_policy(proxy: Server, server: WireServer) -> None:
    weak = "Content-Security-Policy: default-src * 'unsafe-inline'"
    page = wire.answer(wire.PAGE, "Content-Type: text/html", weak, "X-Frame-Options: ALLOWALL")
    server.answers[f"{PREFIX}/"] = page
    _, headers, body = send(proxy, "/", ("Accept", "text/html"))
    policies = [value for name, value in headers if name.lower() == "content-security-policy"]
    assert len(policies) == 1
    assert "'strict-dynamic'" in policies[0]
    assert ("x-frame-options", "SAMEORIGIN") in headers
    assert b'nonce="' in body


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (f"{PREFIX}/a%2Fb?c=/d#e", "/a%2Fb?c=/d#e"),
        ("x", "/path/x"),
        ("?next=1", "/path/from?next=1"),
        (f"http://localhost:{{port}}{PREFIX}/a", "/a"),
        (f"//localhost:{{port}}{PREFIX}/a", "/a"),
        (PREFIX, "/"),
        (f"{PREFIX}//evil.example/x", "//evil.example/x"),
    ],
)
def test_a_redirect_stays_below(
    proxy: Server, server: WireServer, location: str, expected: str
) -> None:
    line = f"Location: {location.format(port=server.port)}"
    server.answers[f"{PREFIX}/path/from"] = wire.answer(b"", line, status="307 Temporary Redirect")
    status, headers, _ = send(proxy, "/path/from")
    assert status == 307
    assert dict(headers)["location"] == f"http://localhost{expected}"


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/other",
        f"{PREFIX}x/a",
        f"{PREFIX}/../other",
        f"{PREFIX}/%2e%2e/other",
        f"{PREFIX}/\\evil.example/x",
        "http://localhost:1/team/mlflow/",
        f"http://localhost:{{port}}@evil.example{PREFIX}/",
        f"http://a@localhost:{{port}}{PREFIX}/",
    ],
)
def test_a_redirect_elsewhere_is_not_followed(
    proxy: Server, server: WireServer, location: str
) -> None:
    line = f"Location: {location.format(port=server.port)}"
    server.answers[f"{PREFIX}/path/to"] = wire.answer(b"", line, status="302 Found")
    status, headers, body = send(proxy, "/path/to")
    assert status == 502
    assert "location" not in dict(headers)
    assert json.loads(body)["message"]


@pytest.mark.parametrize(
    ("method", "told", "expected"),
    [
        ("HEAD", "200 OK\r\nContent-Length: 12345\r\n\r\n", (200, b"")),
        ("GET", '304 Not Modified\r\nETag: "x"\r\n\r\n', (304, b"")),
        ("DELETE", "204 No Content\r\n\r\n", (204, b"")),
        (
            "GET",
            "206 Partial Content\r\nContent-Range: bytes 1-3/9\r\nContent-Length: 3\r\n\r\nabc",
            (206, b"abc"),
        ),
        (
            "GET",
            "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            (200, b"abcde"),
        ),
    ],
)
def test_every_kind_of_response_passes(
    proxy: Server, server: WireServer, method: str, told: str, expected: tuple[int, bytes]
) -> None:
    server.answers[f"{PREFIX}/kind"] = f"HTTP/1.1 {told}".encode()
    status, headers, body = send(proxy, "/kind", method=method)
    assert (status, body) == expected
    lower = {name.lower(): value for name, value in headers}
    if method == "HEAD":
        assert lower["content-length"] == "12345"
    if status == 206:
        assert lower["content-range"] == "bytes 1-3/9"


def test_a_compressed_body_stays_as_it_is(proxy: Server, server: WireServer) -> None:
    body = gzip.compress(b"hello")
    server.answers[f"{PREFIX}/gzip"] = wire.json(body, "Content-Encoding: gzip")
    _, headers, came = send(proxy, "/gzip", ("Accept-Encoding", "gzip"))
    assert came == body
    assert dict(headers)["content-encoding"] == "gzip"
    assert server.last(f"{PREFIX}/gzip").all("accept-encoding") == ["gzip"]


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        ("Content-Length: 2000000", b"hello"),
        ("Transfer-Encoding: chunked", b"5\r\nhello\r\n"),
    ],
)
def test_a_response_that_breaks_off_is_not_completed(
    proxy: Server, server: WireServer, headers: str, part: bytes
) -> None:
    head = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode()
    server.answers[f"{PREFIX}/broken"] = Last(head + part)
    with pytest.raises(IncompleteRead):
        send(proxy, "/broken")


@pytest.mark.parametrize(
    "told", [b"", b"HTTP/1.1 2", b"nonsense\n\n", b"\x15\x03\x01\x00\x02\x02\x16"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_response_is_a_bad_gateway(
    proxy: Server, server: WireServer, told: bytes, method: str
) -> None:
    server.answers[f"{PREFIX}/none"] = Last(told)
    status, _, body = send(proxy, "/none", method=method, body=b"{}")
    assert status == 502
    assert json.loads(body)["error_code"] == "TEMPORARILY_UNAVAILABLE"


# Connections


def test_connections_are_reused(proxy: Server, server: WireServer) -> None:
    send(proxy, "/first")
    used = server.requests[-1].connection
    for _ in range(20):
        send(proxy, "/next", method="POST", body=b"{}")
    assert {each.connection for each in server.requests[-20:]} == {used}


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("PATCH", 1), ("GET", 2), ("PUT", 1)])
def test_only_a_request_that_may_be_repeated_is(
    proxy: Server, server: WireServer, method: str, times: int
) -> None:
    send(proxy, "/first")  # so that the connection is a used one
    path = f"{PREFIX}/lost-{method}"
    server.answers[path] = Last(b"")
    body = None if method == "GET" else b"{}"
    assert send(proxy, f"/lost-{method}", method=method, body=body)[0] == 502
    assert len([each for each in server.requests if each.target == path]) == times


def test_a_large_upload_is_sent_once(proxy: Server, server: WireServer) -> None:
    send(proxy, "/first")
    server.answers[f"{PREFIX}/large"] = Last(b"")
    assert send(proxy, "/large", method="PUT", body=BODY)[0] == 502
    received = [each for each in server.requests if each.target == f"{PREFIX}/large"]
    assert [each.body for each in received] == [BODY]


def test_an_early_refusal_reaches_the_client(proxy: Server, server: WireServer) -> None:
    refusal = wire.json(b'{"error_code": "X"}', status="403 Forbidden")
    server.early[f"{PREFIX}/early"] = refusal
    for body in (BODY, iter([BODY, BODY])):
        headers = [] if isinstance(body, bytes) else [("Transfer-Encoding", "chunked")]
        status, _, came = send(proxy, "/early", *headers, method="PUT", body=body)
        assert (status, came) == (403, b'{"error_code": "X"}')


def test_a_disconnect_in_an_upload_ends_the_request(proxy: Server, server: WireServer) -> None:
    before = len(server.requests)
    connection = Connection(proxy.socket)
    connection.putrequest("PUT", "/half")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    connection.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    connection.close()
    assert send(proxy, "/after")[0] == 200
    # The half of it never arrives as a complete request.
    assert [each.target for each in server.requests[before:]] == [f"{PREFIX}/after"]


# Streams


def test_events_are_not_buffered(proxy: Server, server: WireServer) -> None:
    word = threading.Event()

    def events(_: Received) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        yield b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
        assert word.wait(30)
        yield b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"

    server.answers[f"{PREFIX}/events"] = events
    connection = Connection(proxy.socket)
    connection.request("GET", "/events")
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.read1() == b"data: 1\n\n"
    word.set()
    assert response.read() == b"data: 2\n\n"
    connection.close()


def test_a_slow_server_slows_the_upload(proxy: Server, server: WireServer) -> None:
    size, word = 100_000_000, threading.Event()
    server.held[f"{PREFIX}/slow"] = word
    before = proxy.child.memory_info().rss
    connection = Connection(proxy.socket)
    connection.putrequest("PUT", "/slow")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    connection.sock.settimeout(2)
    sent = upstream_send(connection.sock, size)
    assert sent < 32_000_000
    word.set()
    connection.sock.settimeout(30)
    assert upstream_send(connection.sock, size - sent) == size - sent
    assert connection.getresponse().status == 200
    connection.close()
    assert len(server.last(f"{PREFIX}/slow").body) == size
    assert proxy.child.memory_info().rss - before < 16_000_000


def test_a_slow_client_slows_the_download(proxy: Server, server: WireServer) -> None:
    sent, size = [0], 100_000_000

    def pieces(_: Received) -> Iterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
        for _ in range(0, size, 1_000_000):
            yield b"x" * 1_000_000
            sent[0] += 1_000_000

    server.answers[f"{PREFIX}/download"] = pieces
    before = proxy.child.memory_info().rss
    connection = Connection(proxy.socket)
    connection.request("GET", "/download")
    response = connection.getresponse()
    wait_for(lambda: 0 < sent[0] == sent[0])
    assert sent[0] < 32_000_000
    assert len(response.read()) == size
    connection.close()
    assert proxy.child.memory_info().rss - before < 16_000_000


# Credentials


def test_a_refusal_is_told_without_a_demand_for_a_password(
    proxy: Server, server: WireServer
) -> None:
    refusal = wire.answer(b"no", "WWW-Authenticate: Basic realm=x", status="401 Unauthorized")
    server.answers[f"{PREFIX}/refused"] = refusal
    status, headers, body = send(proxy, "/refused")
    assert status == 401
    assert "www-authenticate" not in dict(headers)
    assert json.loads(body)["error_code"] == "UNAUTHENTICATED"
    assert "does not accept the credentials in MLFLOW_TRACKING_TOKEN" in body.decode()


def test_a_refusal_for_one_thing_passes(proxy: Server, server: WireServer) -> None:
    server.answers[f"{PREFIX}/api/x"] = wire.json(b'{"a": 1}', status="403 Forbidden")
    status, _, body = send(proxy, "/api/x")
    assert (status, body) == (403, b'{"a": 1}')


# Static files


SCRIPT = "/static-files/static/js/main.0123abcd.chunk.js"
HEADERS = ("Content-Type: text/javascript", "Cache-Control: public, max-age=2419200", 'ETag: "x"')


@pytest.mark.parametrize("size", [20_000, 3_000_000])
def test_a_static_file_is_compressed(proxy: Server, server: WireServer, size: int) -> None:
    script = b"console.log('MLflow');" * (size // 22)
    server.answers[PREFIX + SCRIPT] = wire.answer(script, *HEADERS)
    status, headers, body = send(proxy, SCRIPT, ("Accept-Encoding", "gzip"))
    assert status == 200
    assert gzip.decompress(body) == script
    lower = {name.lower(): value for name, value in headers}
    assert lower["content-encoding"] == "gzip"
    assert lower["vary"] == "Accept-Encoding"
    assert lower["cache-control"] == "public, max-age=2419200"
    assert lower["content-type"].startswith("text/javascript")
    assert lower["x-content-type-options"] == "nosniff"
    assert "content-security-policy" not in lower
    assert send(proxy, SCRIPT)[2] == script
    told = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    server.answers[PREFIX + SCRIPT] = told
    again = [("Accept-Encoding", "gzip"), ("If-None-Match", lower["etag"])]
    assert send(proxy, SCRIPT, *again)[::2] == (304, b"")
    assert server.last(PREFIX + SCRIPT).all("if-none-match") == ['"x"']


def test_what_the_server_compressed_or_a_part_stays(proxy: Server, server: WireServer) -> None:
    body = gzip.compress(b"console.log('MLflow');" * 1000)
    accepted = ("Accept-Encoding", "gzip")
    server.answers[PREFIX + SCRIPT] = wire.answer(body, *HEADERS, "Content-Encoding: gzip")
    _, headers, came = send(proxy, SCRIPT, accepted)
    assert (came, dict(headers)["content-encoding"]) == (body, "gzip")
    part = b"x" * 2000
    ranged = wire.answer(part, "Content-Range: bytes 0-1999/9000", status="206 Partial Content")
    server.answers[PREFIX + SCRIPT] = ranged
    status, headers, came = send(proxy, SCRIPT, accepted, ("Range", "bytes=0-1999"))
    assert (status, came, "content-encoding" in dict(headers)) == (206, part, False)


@pytest.mark.parametrize(
    "path",
    [
        "/static-files/%2e/main.0123abcd.js",
        "/static-files//main.0123abcd.js",
        "/static-files/a%2Fmain.0123abcd.js",
        "/static-files/.hidden.0123abcd.js",
        "/static-files/",
    ],
)
def test_an_odd_static_file_is_in_the_sandbox(proxy: Server, path: str) -> None:
    _, headers, _ = send(proxy, path)
    assert dict(headers)["content-security-policy"].startswith("sandbox;")


# The page


def test_a_person_sees_that_the_server_hangs(proxy: Server, server: WireServer) -> None:
    server.held[f"{PREFIX}/"] = threading.Event()
    try:
        assert b"does not answer in time" in send(proxy, "/", *PAGE.items())[2]
    finally:
        server.held.pop(f"{PREFIX}/").set()


def test_a_page_of_any_bytes_is_shown(proxy: Server, server: WireServer) -> None:
    page = server.answers[f"{PREFIX}/"]
    server.answers[f"{PREFIX}/"] = wire.answer(wire.PAGE + b"\xff", "Content-Type: text/html")
    try:
        body = send(proxy, "/", *PAGE.items())[2]
    finally:
        server.answers[f"{PREFIX}/"] = page
    assert b"static-files/main.js" in body
    assert body.endswith(b"\xff")


def test_a_page_without_a_length_is_shown(proxy: Server, server: WireServer) -> None:
    page = server.answers[f"{PREFIX}/"]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answers[f"{PREFIX}/"] = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(wire.PAGE), wire.PAGE)
    try:
        assert b"static-files/main.js" in send(proxy, "/", *PAGE.items())[2]
    finally:
        server.answers[f"{PREFIX}/"] = page


# A server that is not well, or hostile


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("path", ["/", TRACE_PAGE])
def test_a_page_that_never_ends_is_refused(proxy: Server, server: WireServer, path: str) -> None:
    pages = {f"{PREFIX}{path}": server.answers.get(f"{PREFIX}{path}", wire.answer(wire.PAGE))}
    large = wire.PAGE + b" " * 900_000
    server.answers[f"{PREFIX}{path}"] = wire.answer(large, "Content-Type: text/html")
    status, _, body = send(proxy, path, *PAGE.items())  # known-good: a large page
    assert (status, b"static-files/main.js" in body) == (200, True)
    before = proxy.child.memory_info().rss

    def endless(_: Received) -> Iterator[bytes]:
        yield CHUNKED + chunk(wire.PAGE)
        while True:
            yield chunk(b" " * 100_000)

    server.answers[f"{PREFIX}{path}"] = endless
    try:
        assert send(proxy, path)[0] == 502
        assert (
            b"There is no dashboard of MLflow" in send(proxy, "/", *PAGE.items())[2] or path != "/"
        )
        assert proxy.child.memory_info().rss < before + (30 << 20)
    finally:
        server.answers.update(pages)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("head", "piece"),
    [(CHUNKED, chunk(b"x")), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["body", "head"],
)
def test_what_never_ends_ends_with_the_client(
    proxy: Server, server: WireServer, method: str, head: bytes, piece: bytes
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(_: Received) -> Iterator[bytes]:
        try:
            yield head
            while True:
                yield piece
                begun.set()
                ended.wait(0.01)
        finally:
            ended.set()

    server.answers[f"{PREFIX}/endless"] = endless
    connection = Connection(proxy.socket)
    try:
        connection.request(method, "/endless", headers={"Host": "localhost"})
        assert begun.wait(10)
        if head:  # known-good: a client that stays receives it
            assert connection.getresponse().read(3) == b"xxx"
        assert not ended.is_set()
    finally:
        connection.close()
    assert ended.wait(20)


@pytest.mark.release
def test_an_upload_that_was_begun_is_not_sent_again() -> None:
    chunks = [b"c", b"b", b"a"]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": chunks.pop(), "more_body": bool(chunks)}

    async def send_twice() -> None:
        scope = {"type": "http", "method": "PUT", "headers": [(b"transfer-encoding", b"chunked")]}
        upload = client.Upload(Request(scope, receive))
        assert await anext(aiter(upload)) == b"a"  # then the connection breaks
        with pytest.raises(ConnectionError):  # Starlette would go on with the rest
            await anext(aiter(upload))

    asyncio.run(send_twice())
    assert chunks == [b"c", b"b"]


def test_a_read_has_a_time_and_an_upload_has_none(
    server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "READ_TIMEOUT", 0.4)
    silent = server.held[f"{PREFIX}/silent"] = threading.Event()

    async def ask(path: str, pause: asyncio.Event | None = None) -> int:
        """Send a body, its end after `pause`; returns the status."""
        chunks = [b"def", b"abc"]

        async def receive() -> dict[str, object]:
            if pause and len(chunks) == 1:
                await pause.wait()
            return {"type": "http.request", "body": chunks.pop(), "more_body": bool(chunks)}

        scope = {"type": "http", "method": "PUT", "headers": [(b"content-length", b"6")]}
        sender = client.Client(ServerAddress.parse(server.url))
        async with sender.connected():
            upload = client.Upload(Request(scope, receive))
            url = sender.address.target(path.encode())
            return (await sender.send("PUT", url, (), upload)).status

    async def ask_both() -> None:
        timed_out = asyncio.Event()
        upload = asyncio.ensure_future(ask("/upload", timed_out))
        with pytest.raises(aiohttp.ServerTimeoutError):
            await ask("/silent")
        timed_out.set()
        assert await upload == 200  # known-good

    try:
        asyncio.run(ask_both())
        assert server.last(f"{PREFIX}/upload").body == b"abcdef"
    finally:
        silent.set()


def test_a_part_of_a_page_is_not_asked_for(proxy: Server, server: WireServer) -> None:
    part = ("Range", "bytes=0-10")
    assert b"static-files/main.js" in send(proxy, "/", part, *PAGE.items())[2]
    assert server.last(f"{PREFIX}/").all("range") == []
    send(proxy, "/get-artifact", part)  # known-good
    assert server.last(f"{PREFIX}/get-artifact").all("range") == ["bytes=0-10"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (wire.answer(b"", status="502 Bad Gateway"), "answers with the error 502"),
        (wire.answer(b"", status="401 Unauthorized"), "does not accept the credentials"),
        (wire.answer(b"", status="403 Forbidden"), "does not permit"),
        (wire.answer(b"<html>Welcome to nginx"), "There is no dashboard of MLflow at"),
        (wire.answer(b"", status="404 Not Found"), "There is no dashboard of MLflow at"),
        (wire.answer(b"<input type=password>"), "another page answers there"),
        (
            wire.answer(b"", "Location: https://sso.example/", status="302 Found"),
            "redirects to https://sso.example",
        ),
        (Last(b""), "Server disconnected"),
    ],
)
def test_a_person_sees_why_there_is_no_dashboard(
    proxy: Server, server: WireServer, told: bytes, reason: str
) -> None:
    page = server.answers[f"{PREFIX}/"]
    server.answers[f"{PREFIX}/"] = told
    try:
        status, headers, body = send(proxy, "/", *PAGE.items())
    finally:
        server.answers[f"{PREFIX}/"] = page
    assert status == 200
    assert reason in body.decode()
    assert b'data-state="failed"' in body
    assert b"Try again" in body
    assert dict(headers)["cache-control"] in ("no-store", "no-cache")
    assert b"static-files/main.js" in send(proxy, "/", *PAGE.items())[2]  # back by itself


def test_no_secret_is_logged(proxy: Server) -> None:
    log = proxy.log.read_text()
    assert "the-users-own" not in log
    assert "Traceback" not in log
    wait_for(lambda: proxy.status()["state"] == "ready")
