"""A stand-in for MLflow with the behaviours that a proxy must handle.

`c.MLflowProxy.python` names a script that runs it, so that Jupyter starts it instead of MLflow.
The path selects the behaviour (see `ANSWERS`); a request to `/…?word` waits for `GET /go?word`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import os
import signal
from asyncio import StreamReader, StreamWriter
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

from mlflow_proxy.reports import Ready, Retired
from mlflow_proxy.server.reporter import Reporter

PIECE = b"x" * 65536
PART = 10_000_000  # bytes

WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455

requests: list[str] = []
ended: list[str] = []
sent: dict[str, int] = defaultdict(int)
words: dict[str, asyncio.Event] = defaultdict(asyncio.Event)


class Request:
    """One request."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, head: bytes) -> None:
        self.reader, self.writer = reader, writer
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = [tuple(line.split(": ", 1)) for line in lines]

    @property
    def word(self) -> asyncio.Event:
        """The event that the request waits for."""
        return words[self.target.partition("?")[2]]

    def header(self, name: str) -> str:
        """The value of the header `name`."""
        return {n.lower(): value for n, value in self.headers}.get(name, "")

    async def body(self) -> AsyncIterator[bytes]:
        """Read the body."""
        if self.header("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                yield (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        left = int(self.header("content-length") or 0)
        while left:
            piece = await self.reader.read(min(left, len(PIECE)))
            assert piece, "the client has disconnected"
            left -= len(piece)
            yield piece

    def start(self, *headers: str, status: str = "200 OK") -> None:
        """Send the head of a response."""
        head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "\r\n"])
        self.writer.write(head.encode("latin-1"))

    def send(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """Send a response."""
        self.start(f"Content-Length: {len(body)}", *headers, status=status)
        self.writer.write(body if self.method != "HEAD" else b"")

    def send_json(self, value: object) -> None:
        """Send `value` as JSON."""
        self.send(json.dumps(value).encode(), "Content-Type: application/json")


async def echo(request: Request) -> None:
    """Report the request that was received."""
    digest, size = hashlib.sha256(), 0
    async for piece in request.body():
        digest.update(piece)
        size += len(piece)
    what = {"method": request.method, "target": request.target, "headers": request.headers}
    request.send_json({**what, "size": size, "sha256": digest.hexdigest()})


async def answer_as_told(request: Request) -> None:
    """Send the bytes that the path contains in base64."""
    request.writer.write(base64.urlsafe_b64decode(request.target.rpartition("/")[2]))


async def refuse(request: Request) -> None:
    """Respond before the body arrives, and never read it."""
    request.send(b"no", status="403 Forbidden")
    await asyncio.Event().wait()


async def read_slowly(request: Request) -> None:
    """Read nothing until the event is set."""
    await request.word.wait()
    await echo(request)


async def send_events(request: Request) -> None:
    """Send an event; send the next when the word is given."""
    request.start("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        request.writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await request.word.wait()
    request.writer.write(b"0\r\n\r\n")


async def send_for_ever(request: Request) -> None:
    """Send until the client disconnects."""
    request.start(f"Content-Length: {1 << 40}")
    while True:
        request.writer.write(PIECE)
        await request.writer.drain()
        sent[request.target] += len(PIECE)


async def end_in_a_body(request: Request) -> None:
    """Read a part of a body, then exit."""
    size = 0
    async for piece in request.body():
        size += len(piece)
        if size > PART:
            os._exit(0)


async def wait_in_a_body(request: Request) -> None:
    """Read the body and never respond."""
    async for _ in request.body():
        pass
    await request.reader.read()


async def open_websocket(request: Request) -> None:
    """Send one message and close."""
    key = request.header("sec-websocket-key").encode()
    accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET).digest()).decode()
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    request.start(*upgrade, status="101 Switching Protocols")
    request.writer.write(b"\x81\x05hello\x88\x00")
    await request.reader.read()


async def tell(request: Request) -> None:
    """Report received requests, ended requests and the bytes sent on endless responses."""
    request.send_json({"requests": requests, "ended": ended, "sent": sent})


async def give_the_word(request: Request) -> None:
    """Release the requests that wait for the word."""
    request.word.set()
    request.send(b"")


ANSWERS = {
    "/as-told": answer_as_told,
    "/refuse": refuse,
    "/slow": read_slowly,
    "/events": send_events,
    "/endless": send_for_ever,
    "/die": end_in_a_body,
    "/stay": wait_in_a_body,
    "/socket": open_websocket,
    "/tell": tell,
    "/go": give_the_word,
}


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer one request."""
    request = Request(reader, writer, await reader.readuntil(b"\r\n\r\n"))
    requests.append(request.target)
    answers = (a for path, a in ANSWERS.items() if request.target.startswith(path))
    try:
        await next(answers, echo)(request)
        await writer.drain()
    except (AssertionError, ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        ended.append(request.target)
        writer.close()


async def main() -> None:
    """Serve until Jupyter ends this."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--unix-socket", type=Path)
    parser.add_argument("--reports", type=int)
    options, _ = parser.parse_known_args()
    reporter = Reporter(options.reports, options.unix_socket)
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, reporter.send, Retired())
    aside = options.unix_socket.with_name("aside")
    # With uvicorn's backlog.
    await asyncio.start_unix_server(serve, aside, limit=1 << 20, backlog=2048)
    aside.chmod(0o600)
    aside.rename(options.unix_socket)
    reporter.send(Ready())
    await ended.wait()
    os._exit(0)


asyncio.run(main())
