"""Connections of other users of this machine to the address for the user's own processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from jupyter_server.serverapp import ServerApp
from tornado import web
from tornado.ioloop import IOLoop

from mlflow_proxy.web import local_address
from mlflow_proxy.web.local_address import HOST, MAX_STRANGERS, LocalAddress
from support.life import life_of, until

SERVE = Path(__file__).parents[1] / "resources" / "mlflow_processes" / "serve.py"
POST = "POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nHost: localhost\r\n"
SHORT = 0.5  # seconds
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    """Connects to an address, and closes all connections at the end."""

    def __init__(self, address: LocalAddress) -> None:
        self.address = address
        self.credential = f"Authorization: Bearer {address.credential}\r\n"
        self.opened: list[Streams] = []

    async def connect(self, sent: str = "") -> Streams:
        """Open a connection, and send that much."""
        streams = await asyncio.open_connection(HOST, self.address.server.port)
        self.opened.append(streams)
        streams[1].write(sent.encode())
        return streams

    async def status(self, streams: Streams) -> bytes:
        """The status of the next response; empty if the connection is closed. Reads the body."""
        head = b""
        async with _timeout():
            while line := (await streams[0].readline()).strip():
                head += line + b"\n"
            length = head.lower().partition(b"content-length: ")[2].split(b"\n")[0]
            await streams[0].readexactly(int(length or 0))
        return head.split(b" ")[1] if head else b""

    async def is_closed(self, streams: Streams) -> None:
        """Wait until Jupyter closes the connection."""
        async with _timeout():
            while await streams[0].read(1000):
                pass


@asynccontextmanager
async def _timeout() -> AsyncIterator[None]:
    task = asyncio.current_task()
    assert task
    handle = asyncio.get_running_loop().call_later(20, task.cancel)
    try:
        yield
    finally:
        handle.cancel()


def run(folder: Path, scenario: Callable[[Client], Awaitable[None]]) -> None:
    """Run `scenario` with the address of a server whose MLflow is a stand-in."""

    async def serve() -> None:
        async with life_of(folder, sys.executable, str(SERVE)) as life:
            app = ServerApp()
            app.io_loop, app.web_app = IOLoop.current(), web.Application()
            address = LocalAddress(app)
            address.life = life
            client = Client(address)
            try:
                await scenario(client)
            finally:
                address.server.stop()
                for _, writer in client.opened:
                    writer.close()
                await address.server.close_all_connections()

    asyncio.run(serve())


def test_the_oldest_of_too_many_strangers_is_closed(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        kept = await client.connect(f"{POST}{client.credential}Content-Length: 0\r\n\r\n")
        assert await client.status(kept) == b"200"
        silent = [await client.connect() for _ in range(MAX_STRANGERS + 50)]
        refused = await client.connect(f"{POST}Content-Length: 0\r\n\r\n")
        assert await client.status(refused) == b"401"
        for each in silent[:51]:
            await client.is_closed(each)
        strangers = client.address.server.strangers
        assert len(strangers) == MAX_STRANGERS
        # Known-good: the user's programs are answered meanwhile, new ones and those that are idle.
        for each in (kept, await client.connect()):
            each[1].write(f"{POST}{client.credential}Content-Length: 0\r\n\r\n".encode())
            assert await client.status(each) == b"200"
        for _, writer in client.opened:
            writer.close()
        await until(lambda: not strangers)

    run(tmp_path, scenario)


def test_a_stranger_has_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_address, "TIMEOUT", SHORT)

    async def scenario(client: Client) -> None:
        upload = await client.connect(f"{POST}{client.credential}Content-Length: 6\r\n\r\nabc")
        attacks = [
            await client.connect(),
            await client.connect(POST),
            await client.connect(f"{POST}Content-Length: 6\r\n\r\nabc"),
            await client.connect(f"{POST}Content-Length: {1 << 30}\r\n\r\nabc"),
            await client.connect(f"{POST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            await client.connect("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"),
        ]
        for each in attacks:
            await client.is_closed(each)
        # Known-good: the user's upload, as slow, has the time that it needs; and a program whose
        # connection was closed in a pause opens another.
        upload[1].write(b"def")
        assert await client.status(upload) == b"200"
        await client.is_closed(upload)
        again = await client.connect(f"{POST}{client.credential}Content-Length: 0\r\n\r\n")
        assert await client.status(again) == b"200"

    run(tmp_path, scenario)


def test_a_head_that_drips_has_no_more_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_address, "TIMEOUT", SHORT)

    async def scenario(client: Client) -> None:
        reader, writer = await client.connect(POST)
        closed = asyncio.ensure_future(client.is_closed((reader, writer)))
        sent = 0
        while not (await asyncio.wait([closed], timeout=SHORT / 10))[0]:
            writer.write(b"X-%d: x\r\n" % sent)
            sent += 1
        assert 2 < sent < 100

    run(tmp_path, scenario)
