"""Private names of tornado, Jupyter Server and jupyter-server-proxy behave as we rely on.

`web/transport.py`, `web/handler.py` and `process.py` use or override them. The oldest supported
releases run these tests as well. Where two releases differ, the test says how.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from http import HTTPStatus
from typing import IO, Any

import aiohttp
import pytest
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.serverapp import ServerWebApplication
from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.handlers import SuperviseAndProxyHandler
from jupyter_server_proxy.websocket import WebSocketHandlerMixin
from simpervisor import SupervisedProcess, atexitasync
from simpervisor.process import KilledProcessError
from tornado import httpserver, httputil, testing, web, websocket

from mlflow_proxy.web.access import AccessChecks
from mlflow_proxy.web.handler import StreamingHandler, mlflow_handler
from mlflow_proxy.web.transport import ANY_SIZE, StreamingTransport

# Names of the bases that the handler overrides or that tornado's decorator sets.
OVERRIDDEN = {"_log", "_record_activity", "_stream_request_body"}
BODY = b"0123456789" * 1000
PROCESS = {"command": ["run", "{unix_socket}"], "unix_socket": "/socket", "environment": {"A": "b"}}

Get = Callable[["Probe"], Coroutine[Any, Any, None]]


@web.stream_request_body
class Probe(SuperviseAndProxyHandler):
    """A handler of jupyter-server-proxy without access checks that runs `get_function`."""

    get_function: Get
    prepare_function: Callable[[Any], None]

    async def prepare(self) -> None:
        """Do not call Jupyter's, which checks the user."""
        self.received = 0
        self.prepare_function()

    def data_received(self, chunk: bytes) -> None:
        """Count a chunk of the body."""
        self.received += len(chunk)

    async def http_get(self, path: str) -> None:
        """Respond."""
        await self.get_function()

    post = http_get


def probe(get: Get, prepare: Callable[[Any], None] = lambda _: None) -> type[Probe]:
    """A `Probe` that runs these."""
    return type("Probed", (Probe,), {"get_function": get, "prepare_function": prepare})


@asynccontextmanager
async def serving(
    handler: type[web.RequestHandler], max_body_size: int = 1 << 20, **settings: Any
) -> AsyncIterator[str]:
    """Serve `handler` at every path, as Jupyter's server would; yields the address."""
    app = web.Application([("/(.*)", handler, {"state": {}})], **settings)
    listener, port = testing.bind_unused_port()
    server = httpserver.HTTPServer(app, max_body_size=max_body_size)
    server.add_socket(listener)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.stop()
        await server.close_all_connections()


async def fetch(
    address: str, method: str = "GET", **options: Any
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Send a request; returns the response and its body as sent."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(method, address, **options) as response,
    ):
        return response, await response.read()


class NoConnection(httputil.HTTPConnection):
    """The part of a connection that a handler's constructor uses."""

    def set_close_callback(self, callback: Any) -> None:
        """Ignore `callback`: there is no client."""


def our_handler(**process: Any) -> tuple[type[Any], dict[str, Any]]:
    """The handler of the route, which runs no request here, and its arguments."""
    return mlflow_handler({**PROCESS, **process})


def new_handler(
    cls: type[Any], arguments: dict[str, Any], app: web.Application | None = None
) -> Any:
    """A handler without a client."""
    line = httputil.RequestStartLine("GET", "/", "HTTP/1.0")
    request = httputil.HTTPServerRequest(start_line=line, connection=NoConnection())
    return cls(app or web.Application(), request, **arguments)


# tornado


def test_the_handlers_own_names_are_free_in_its_bases() -> None:
    cls, arguments = ServerProcess(name="mlflow", **PROCESS).make_proxy_handler()
    names = {*vars(StreamingHandler), *vars(StreamingTransport)}
    own = {name for name in names if name[0] == "_" and name[:2] != "__"}
    assert own >= OVERRIDDEN
    handler = new_handler(cls, arguments)
    assert {name for name in own if hasattr(handler, name)} == OVERRIDDEN


def test_without_transforms_tornado_does_not_compress() -> None:
    async def get(self: Probe) -> None:
        self.set_header("Content-Type", "text/plain")
        self.write(BODY)

    def forget_transforms(self: Any) -> None:
        assert self._transforms
        self._transforms = []

    async def bodies() -> list[bytes]:
        headers = {"Accept-Encoding": "gzip"}
        found = []
        for prepare in (lambda _: None, forget_transforms):
            async with serving(probe(get, prepare), compress_response=True) as address:
                found.append((await fetch(address, headers=headers))[1])
        return found

    compressed, plain = asyncio.run(bodies())
    assert gzip.decompress(compressed) == BODY
    assert plain == BODY


def test_the_header_and_buffer_attributes_tell_what_is_sent() -> None:
    found: dict[str, Any] = {}

    async def get(self: Probe) -> None:
        self.set_header("X-Removed", "1")
        self._headers = httputil.HTTPHeaders({"X-Kept": "1"})
        self.write(b"abc")
        self.write(b"de")
        found["length"] = sum(map(len, self._write_buffer))
        found["before"] = self._headers_written, self._finished
        await web.RequestHandler.flush(self)
        found["flushed"] = self._headers_written, self._finished, self._write_buffer
        self.finish()
        found["finished"] = self._finished

    async def run() -> tuple[aiohttp.ClientResponse, bytes]:
        async with serving(probe(get)) as address:
            return await fetch(address)

    response, body = asyncio.run(run())
    assert body == b"abcde"
    assert set(response.headers) == {"X-Kept", "Transfer-Encoding"}  # no `Server`, no `Date`
    assert found == {
        "length": 5,
        "before": (False, False),
        "flushed": (True, False, []),
        "finished": True,
    }


def test_clear_discards_an_unsent_response() -> None:
    async def get(self: Probe) -> None:
        self.set_status(HTTPStatus.CREATED)
        self._headers = httputil.HTTPHeaders({"X-Removed": "1"})
        self.write(b"removed")
        self.clear()
        assert self._write_buffer == []
        assert not self._headers_written
        self.write(b"error")

    async def run() -> tuple[aiohttp.ClientResponse, bytes]:
        async with serving(probe(get)) as address:
            return await fetch(address)

    response, body = asyncio.run(run())
    assert (response.status, body) == (HTTPStatus.OK, b"error")
    assert "X-Removed" not in response.headers


def test_a_body_of_any_size_is_accepted_once_its_connection_is_told() -> None:
    async def post(self: Probe) -> None:
        self.write(str(self.received))

    def accept_any(self: Any) -> None:
        self.request.connection.set_max_body_size(ANY_SIZE)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield BODY

    async def run() -> list[tuple[int, bytes]]:
        found = []
        for prepare in (lambda _: None, accept_any):
            async with serving(probe(post, prepare), max_body_size=2 * len(BODY)) as address:
                with contextlib.suppress(aiohttp.ClientError):
                    response, body = await fetch(address, "POST", data=chunks())
                    found.append((response.status, body))
        return found

    *refused, accepted = asyncio.run(run())
    assert accepted == (HTTPStatus.OK, str(10 * len(BODY)).encode())
    assert all(status == HTTPStatus.BAD_REQUEST for status, _ in refused)


def test_a_closed_connection_ends_the_response_incomplete() -> None:
    async def get(self: Probe) -> None:
        self.write(b"half")
        await web.RequestHandler.flush(self)
        self.request.connection.close()

    async def run() -> None:
        async with serving(probe(get)) as address:
            await fetch(address)

    with pytest.raises(aiohttp.ClientPayloadError):
        asyncio.run(run())


def test_a_disconnection_ends_the_body_only_if_both_methods_are_called() -> None:
    """WebSocketHandler's method does not call RequestHandler's, which ends a streamed body."""
    found: list[bool] = []

    async def run() -> None:
        closed = asyncio.Event()

        class Closing(Probe):
            def prepare_function(self) -> None:
                pass

            def on_connection_close(self) -> None:
                super().on_connection_close()
                found.append(self.request._body_future.done())
                web.RequestHandler.on_connection_close(self)
                found.append(self.request._body_future.done())
                closed.set()

        async with serving(Closing) as address:
            port = int(address.rpartition(":")[2].rstrip("/"))
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
            await writer.drain()
            writer.close()
            await asyncio.wait_for(closed.wait(), 10)

    assert web.RequestHandler.on_connection_close is not (
        websocket.WebSocketHandler.on_connection_close
    )
    asyncio.run(run())
    assert found == [False, True]


def test_a_finished_response_is_logged_by_a_method_that_can_be_replaced() -> None:
    logged: list[str] = []

    async def get(self: Probe) -> None:
        self.write(b"x")

    async def run() -> None:
        for cls in (probe(get), type("Silent", (probe(get),), {"_log": lambda _: None})):
            name = cls.__name__
            async with serving(cls, log_function=lambda _, name=name: logged.append(name)) as url:
                await fetch(url)

    asyncio.run(run())
    assert logged == ["Probed"]


def test_a_route_at_the_front_of_the_default_router_wins() -> None:
    class Named(web.RequestHandler):
        def initialize(self, name: str) -> None:
            self.name = name

        def get(self) -> None:
            self.write(self.name)

    async def run() -> bytes:
        app = web.Application([("/mlflow/a", Named, {"name": "earlier"})])
        app.add_handlers(".*$", [("/mlflow/a", Named, {"name": "of an extension"})])
        app.default_router.rules.insert(0, web.url("/mlflow/(?:.*)", Named, {"name": "ours"}))
        listener, port = testing.bind_unused_port()
        server = httpserver.HTTPServer(app)
        server.add_socket(listener)
        try:
            return (await fetch(f"http://127.0.0.1:{port}/mlflow/a"))[1]
        finally:
            server.stop()
            await server.close_all_connections()

    assert asyncio.run(run()) == b"ours"
    assert issubclass(ServerWebApplication, web.Application)


# jupyter-server-proxy


def test_flush_of_an_instance_returns_before_the_data_is_sent() -> None:
    """The WebSocket mixin replaces it; tornado's own method, which the handler calls, waits."""
    found: list[bool] = []

    async def get(self: Probe) -> None:
        assert "flush" in vars(self)
        self.write(b"a")
        found.append(inspect.isawaitable(self.flush()))
        self.write(b"b")
        sent = web.RequestHandler.flush(self)
        found.append(inspect.isawaitable(sent))
        await sent

    async def run() -> bytes:
        async with serving(probe(get)) as address:
            return (await fetch(address))[1]

    assert issubclass(StreamingHandler, WebSocketHandlerMixin)
    assert asyncio.run(run()) == b"ab"
    assert found == [False, True]


def test_a_description_becomes_a_handler_and_its_arguments() -> None:
    cls, arguments = our_handler()
    assert issubclass(cls, StreamingHandler)
    assert arguments == {"state": {}}
    handler = new_handler(cls, arguments)
    assert handler.state is arguments["state"]
    assert handler.name == "mlflow"
    assert handler.unix_socket == "/socket"
    assert handler.get_cmd() == ["run", "/socket"]
    assert handler.get_env() == {"A": "b"}


def test_jupyters_access_checks_come_before_those_of_jupyter_server_proxy() -> None:
    """jupyter-server-proxy switches the XSRF check off for its handlers."""
    cls, _ = our_handler()
    definers = [each for each in cls.__mro__ if "check_xsrf_cookie" in vars(each)]
    assert definers[0] is AccessChecks
    assert [each for each in definers if each.__module__ == "jupyter_server_proxy.handlers"]
    assert "check_xsrf_cookie" in vars(JupyterHandler)  # which JupyterHub replaces
    for name in ("check_xsrf_cookie", "skip_check_origin", "check_origin", "check_referer"):
        assert callable(getattr(JupyterHandler, name))
    assert "self.skip_check_origin()" in inspect.getsource(JupyterHandler.check_origin)
    assert isinstance(JupyterHandler.xsrf_token, property)
    assert inspect.iscoroutinefunction(SuperviseAndProxyHandler.prepare)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("GET", "http_get"),
        ("POST", "post"),
        ("PUT", "put"),
        ("DELETE", "delete"),
        ("HEAD", "head"),
        ("PATCH", "patch"),
        ("OPTIONS", "options"),
    ],
)
def test_every_method_calls_proxy(method: str, name: str) -> None:
    class Proxied(SuperviseAndProxyHandler):
        async def prepare(self) -> None:
            """Do not call Jupyter's, which checks the user."""

        async def proxy(self, port: int, path: str) -> None:
            self.set_header("X-Proxied", f"{self.request.method} {port} {path}")

        def initialize(self, state: dict[str, Any]) -> None:
            super().initialize(state)
            state["port"] = 0

    async def run() -> aiohttp.ClientResponse:
        async with serving(Proxied) as address:
            return (await fetch(f"{address}a%20b", method))[0]

    response = asyncio.run(run())
    assert callable(getattr(SuperviseAndProxyHandler, name))
    assert response.headers["X-Proxied"] == f"{method} 0 a b"


def test_a_process_in_the_state_is_not_started_by_jupyter_server_proxy() -> None:
    """`Life` puts there what it runs; all handlers with the same state find it."""

    async def run() -> str:
        cls, arguments = ServerProcess(name="mlflow", **PROCESS).make_proxy_handler()
        arguments["state"].update(proc="run by Life", unix_socket="/another")
        handler = new_handler(cls, arguments)
        await handler.ensure_process()
        return str(handler.unix_socket)

    assert asyncio.run(run()) == "/another"


# simpervisor


def test_it_takes_the_signal_handlers_unless_it_believes_that_it_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    added: list[int] = []
    monkeypatch.setattr(atexitasync, "signal_handler_set", True)
    monkeypatch.setattr(atexitasync, "_handlers", [])
    atexitasync.add_handler(added.append)
    assert signal.getsignal(signal.SIGTERM) is before
    assert atexitasync._handlers == [added.append]
    monkeypatch.setattr(atexitasync, "signal_handler_set", False)
    kept = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        atexitasync.add_handler(added.append)
        assert signal.getsignal(signal.SIGTERM) is not before
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def test_a_crashed_process_is_started_again_with_the_same_descriptors() -> None:
    """One that is terminated is not."""
    code = "import os, sys; print(os.getpid(), flush=True); os._exit(int(sys.stdin.readline()))"

    async def run(lines: IO[str], output: int, commands: int, writer: IO[str]) -> None:
        process = SupervisedProcess(
            "x", sys.executable, "-c", code, stdin=commands, stdout=output, stderr=output
        )

        async def next_pid() -> int:
            return int(await asyncio.to_thread(lines.readline))

        await process.start()
        first, before = await next_pid(), process.proc
        assert first == process.pid == before.pid
        print(1, file=writer, flush=True)
        assert await before.wait() == 1
        second = await next_pid()
        assert second != first
        assert process.proc is not before
        assert process.running
        await process.terminate()
        assert process.returncode == -signal.SIGTERM
        with pytest.raises(KilledProcessError):
            await process.start()

    (reader, output), (commands, writer) = os.pipe(), os.pipe()
    with ExitStack() as stack:
        stack.callback(os.close, output)
        stack.callback(os.close, commands)
        lines = stack.enter_context(os.fdopen(reader))
        written = stack.enter_context(os.fdopen(writer, "w"))
        asyncio.run(asyncio.wait_for(run(lines, output, commands, written), 30))
