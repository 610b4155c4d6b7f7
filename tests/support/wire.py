"""A server that records what arrives on the wire and answers as it is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

PAGE = (
    b'<html><head><title>MLflow</title></head><script src="static-files/main.js"></script></html>'
)


class Last(bytes):
    """A response after which the connection is closed."""


Answer = bytes | Callable[["Received"], "bytes | Iterable[bytes] | None"]


@dataclass(frozen=True)
class Received:
    """A request, as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    """Number of its connection."""

    def all(self, name: str) -> list[str]:
        """The values of the header `name`."""
        return [value for each, value in self.headers if each.lower() == name.lower()]


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "\r\n"]
    return "\r\n".join(lines).encode("latin-1") + body


def json(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    """A response of JSON."""
    return answer(body, "Content-Type: application/json", *headers, status=status)


@dataclass
class WireServer:
    """Answers like an MLflow of version 3; `answers` maps targets without query to others.

    An answer of None closes the connection.
    """

    listener: socket.socket
    prefix: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    early: dict[str, bytes] = field(default_factory=dict)
    """Responses that are sent before the body is read, which it never is."""
    held: dict[str, threading.Event] = field(default_factory=dict)
    """What is waited for before the body is read."""
    requests: list[Received] = field(default_factory=list)
    context: ssl.SSLContext | None = None
    connections: int = 0

    def __post_init__(self) -> None:
        self.port = self.listener.getsockname()[1]
        scheme = "https" if self.context else "http"
        self.url = f"{scheme}://localhost:{self.port}{self.prefix}"
        self.answers = {
            f"{self.prefix}/version": answer(b"3.5.0", "Content-Type: text/plain"),
            f"{self.prefix}/api/2.0/mlflow/experiments/search": json(),
            f"{self.prefix}/": answer(PAGE, "Content-Type: text/html"),
            **self.answers,
        }

    def last(self, target: str) -> Received:
        """The last request for `target`, which has the prefix."""
        return [each for each in self.requests if each.target == target][-1]

    def _answer_early(self, connection: socket.socket) -> Callable[[str], None]:
        def answer_early(target: str) -> None:
            if target in self.held:
                self.held[target].wait(60)
            if target in self.early:
                connection.sendall(self.early[target])
                threading.Event().wait(60)
                raise ValueError("never read")

        return answer_early

    def serve(self) -> None:
        """Accept until the listener is closed."""
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                arguments = (connection, self.connections)
                threading.Thread(target=self._talk, args=arguments, daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError), connection:
            connection.settimeout(60)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as reader:
                while received := read(reader, number, self._answer_early(connection)):
                    self.requests.append(received)
                    told = self.answers.get(received.target.partition("?")[0], json())
                    reply = told(received) if callable(told) else told
                    if reply is None:
                        return
                    for piece in [reply] if isinstance(reply, bytes) else reply:
                        connection.sendall(piece)
                    if isinstance(reply, Last):
                        return


def read(reader: BinaryIO, number: int, on_head: Callable[[str], None]) -> Received | None:
    """Read one request; None at the end. `on_head` gets its target before the body is read."""
    first = reader.readline().decode("latin-1").strip()
    if not first:
        return None
    method, target, _ = first.split(" ")
    headers = []
    while line := reader.readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(": ")
        headers.append((name, value))
    on_head(target)
    known = {name.lower(): value for name, value in headers}
    body = b""
    if known.get("transfer-encoding") == "chunked":
        while size := int(reader.readline(), 16):
            body += reader.read(size + 2)[:-2]
        reader.readline()
    else:
        body = reader.read(int(known.get("content-length", 0)))
    return Received(method, target, headers, body, number)


@contextmanager
def wire_server(
    prefix: str = "", context: ssl.SSLContext | None = None, port: int = 0, **answers: Answer
) -> Iterator[WireServer]:
    """Run one, on a free port unless `port` is given."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = WireServer(listener, prefix, dict(answers), context=context)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
