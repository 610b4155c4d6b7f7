"""Requests to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from starlette.datastructures import Headers

Fields = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: Headers
    body: bytes


class Recorder:
    """An application that keeps the scopes of its requests and answers them with their bodies."""

    def __init__(self, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        self.scopes: list[Any] = []
        self._headers = list(headers)
        self._status = status

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        start = {"type": "http.response.start", "status": self._status, "headers": self._headers}
        await send(start)
        await send({"type": "http.response.body", "body": body})


def ask(
    app: Any,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Fields | None = None,
    query: bytes = b"",
    body: bytes = b"",
) -> Answer:
    """Send one request to `app`, its body in two pieces."""
    pieces = [body[:7], body[7:]]
    messages: list[Any] = []

    async def receive() -> Any:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http",
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
    return Answer(start["status"], Headers(raw=list(start.get("headers", []))), whole)
