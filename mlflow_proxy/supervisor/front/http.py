"""Just enough HTTP/1.1 for the supervisor: read one request, write one response, close.

`http.server` would cost a thread per connection and, with its imports, a third of the memory.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

MAX_HEAD = 32 * 1024  # bytes; nginx allows as much, JupyterHub's proxy half of it
HEAD_TIMEOUT = 10.0  # seconds for the request's head to arrive
LINGER = 2.0  # seconds to read on, so that a client that is still sending reads the response


class BadRequestError(Exception):
    """A request that can only be answered with `status`."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True)
class Request:
    """The head of a request; header names are in lower case, duplicates joined by commas."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    head: bytes = b""
    """The bytes as received."""

    @property
    def wants_page(self) -> bool:
        """Whether a person waits for a page; otherwise a program waits for data."""
        return self.method in ("GET", "HEAD") and "text/html" in self.headers.get("accept", "")


@dataclass(frozen=True)
class Response:
    """A response with `body`, or with the content of `file`."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    file: Path | None = None

    @classmethod
    def json(cls, status: HTTPStatus, value: Any, *headers: tuple[str, str]) -> "Response":
        """Build a response with `value` as JSON, not to be cached."""
        headers = (*headers, ("Cache-Control", "no-store"))
        return cls(status, json.dumps(value).encode(), "application/json", headers)


def parse_head(head: bytes) -> Request:
    """Parse the request line and the header lines of `head`.

    Raises:
        BadRequestError: `head` is not HTTP/1.
    """
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    match first.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0"] if target.startswith("/"):
            path = target.partition("?")[0]
        case _:
            raise BadRequestError(HTTPStatus.BAD_REQUEST)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(HTTPStatus.BAD_REQUEST)
        name, value = name.strip().lower(), value.strip()
        # RFC 9110, 5.3: so two origins are none, whichever comes last.
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(method, path, headers, head)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read a request's head; None if the client disconnects first.

    Raises:
        BadRequestError: the head is too long, too slow or not HTTP.
    """
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_TIMEOUT)
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    except asyncio.TimeoutError:
        raise BadRequestError(HTTPStatus.REQUEST_TIMEOUT) from None
    return parse_head(head)


async def send(writer: asyncio.StreamWriter, response: Response, head_only: bool = False) -> None:
    """Send `response` and shut down the sending side of the connection."""
    length = response.file.stat().st_size if response.file else len(response.body)
    lines = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {length}",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    writer.write("\r\n".join([*lines, "\r\n"]).encode("latin-1"))
    if not head_only:
        writer.write(response.body)
    await writer.drain()
    if response.file and not head_only:
        with response.file.open("rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file)
    writer.write_eof()


async def linger(reader: asyncio.StreamReader) -> None:
    """Discard what the client still sends: closing with unread bytes resets the connection."""

    async def discard() -> None:
        while await reader.read(MAX_HEAD):
            pass

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(discard(), LINGER)
