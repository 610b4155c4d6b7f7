"""Requests to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from starlette.datastructures import Headers

Fields = list[tuple[bytes, bytes]]
START = 7  # bytes in the first piece of a body


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: Headers
    body: bytes


class Recorder:
    """An application that records its requests and responds with `body` or the request's body."""

    def __init__(
        self, *headers: tuple[bytes, bytes], status: int = 200, body: bytes | None = None
    ) -> None:
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []
        self._headers = headers
        self._status = status
        self._body = body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Respond."""
        self.scopes.append(scope)
        self.bodies.append(await read_body(scope, receive))
        body = self.bodies[-1] if self._body is None else self._body
        await respond(send, self._status, self._headers, body)


async def read_body(scope: Any, receive: Any) -> bytes:
    """Read the body of a request; check it against Content-Length, if given."""
    body, has_more = b"", True
    while has_more:
        message = await receive()
        body, has_more = body + message.get("body", b""), message.get("more_body", False)
    assert int(Headers(scope=scope).get("content-length", len(body))) == len(body)
    return body


async def respond(
    send: Any, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> None:
    """Send a response, its body in two pieces."""
    length = (b"content-length", b"%d" % len(body))
    start = {"type": "http.response.start", "status": status, "headers": [*headers, length]}
    await send(start)
    await send({"type": "http.response.body", "body": body[:START], "more_body": True})
    await send({"type": "http.response.body", "body": body[START:]})


def ask(
    app: Any,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Fields | None = None,
    query: bytes = b"",
    body: bytes = b"",
) -> Answer:
    """Send one request to `app`, its body in two pieces; check the length of the response."""
    pieces = [body[:START], body[START:]]
    messages: list[Any] = []

    async def receive() -> Any:
        if not pieces:
            await asyncio.Event().wait()  # the client waits for the response
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers or [],
    }
    asyncio.run(app(scope, receive, send))
    start, *rest = messages
    whole = b"".join(message.get("body", b"") for message in rest)
    answer = Answer(start["status"], Headers(raw=list(start.get("headers", []))), whole)
    if method != "HEAD":
        assert int(answer.headers.get("content-length", len(whole))) == len(whole)
    return answer
