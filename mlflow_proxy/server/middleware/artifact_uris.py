"""Calls a folder of artifacts `mlflow-artifacts:/` where clients on other machines are told of it.

Experiments keep their artifacts in a folder, for a kernel that uses the store has no server to ask.
A client on another machine would take that folder for one of its own. So in the REST API, which
such clients use, it has the name that `mlflow server` gives it, and clients send their artifacts
through the server. The dashboard uses another part of the API and shows the folder.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from .sandbox import ARTIFACT_PATH
from .types import ASGIApp, Headers, Message, Receive, Scope, Send

API_PATH = re.compile(r"/api/\d\.0/mlflow/.*", re.DOTALL)
SCHEME = b"mlflow-artifacts:"
# In quotes: a JSON string, one within another, one in a filter. What could lead out of the folder,
# or is one thing in a URI and another in a path, MLflow shall judge: `..`, `//`, `%2e`, `?`, `#`.
URI = re.compile(
    rb"""(["'])mlflow-artifacts:(/(?!/)(?:"""
    rb"""(?!\.\.|\1)[^"\\?#%]|%(?![0-9A-Fa-f]{2})|\\{1,2}u(?!00[0-7])[0-9A-Fa-f]{4})*\\*\1)"""
)
URI_IN_QUERY = re.compile(rb"(?<=%27)mlflow-artifacts%3A(?=%2F)")
ESCAPED = re.compile(r'["\\\x00-\x1f]')  # in JSON, and twice in JSON within JSON


def with_artifact_uris(app: ASGIApp, artifact_root: str) -> ASGIApp:
    """Put `ArtifactUris` around `app` where `artifact_root` is a folder (a path or `file:` URI)."""
    folder = artifact_root.rstrip("/")
    is_local = folder.startswith("/") or urlsplit(folder).scheme == "file"
    return ArtifactUris(app, folder) if is_local and not ESCAPED.search(folder) else app


class ArtifactUris:
    """Maps `mlflow-artifacts:/` to `folder` in what clients send, and back in what they get."""

    def __init__(self, app: ASGIApp, folder: str) -> None:
        self._app = app
        self._folder = folder.encode()
        self._quoted = quote(folder, safe="").encode()
        escaped = json.dumps(folder)[1:-1]  # MLflow writes ASCII
        spellings = {folder, escaped, escaped.replace("\\", r"\\")}
        self._spellings = [spelling.encode() for spelling in spellings]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with folders in it, and the answer with URIs."""
        if not is_of_clients(scope):
            await self._app(scope, receive, send)
            return
        query = URI_IN_QUERY.sub(self._quoted, scope["query_string"])
        scope = {**scope, "query_string": query}
        if is_json(scope["headers"]):
            await self._map_both(scope, receive, self._mapping(send))
        else:
            await self._app(scope, receive, self._mapping(send))

    async def _map_both(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive)
        if body is None:  # the client has gone
            return
        mapped = self.with_folders(body)
        if mapped == body:
            await self._app(scope, repeating(body, receive), send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        headers = with_length(scope["headers"], mapped)
        await self._app({**scope, "headers": headers}, repeating(mapped, receive), keep)
        if answer[0]["status"] == HTTPStatus.BAD_REQUEST:
            # So nothing was done. MLflow shall take, or refuse in its words, what the client sent.
            await self._app(scope, repeating(body, receive), send)
            return
        for message in answer:
            await send(message)

    def _mapping(self, send: Send) -> Send:
        """Make a `send` that maps a JSON answer, once all of it is there."""
        start: Message = {}
        chunks: list[bytes] = []

        async def send_mapped(message: Message) -> None:
            if message["type"] == "http.response.start" and is_json(message.get("headers", [])):
                start.update(message)
                return
            if not start:
                await send(message)
                return
            chunks.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = b"".join(chunks)
            mapped = self.with_uris(body)
            if mapped != body:
                start["headers"] = with_length(start["headers"], mapped)
            await send(start)
            await send({"type": "http.response.body", "body": mapped})

        return send_mapped

    def with_folders(self, body: bytes) -> bytes:
        """The JSON `body` with folders for URIs."""
        if SCHEME not in body:
            return body
        return URI.sub(lambda uri: uri[1] + self._folder + uri[2], body)

    def with_uris(self, body: bytes) -> bytes:
        """The JSON `body` with URIs for folders."""
        for folder in self._spellings:
            if folder not in body:
                continue
            body = body.replace(b'"%b"' % folder, b'"mlflow-artifacts:/"')
            for mark in (b'"', b"'"):
                body = body.replace(b"%b%b/" % (mark, folder), mark + b"mlflow-artifacts:/")
        return body


def is_of_clients(scope: Scope) -> bool:
    """Whether the request is one of the REST API, as clients other than the dashboard send it."""
    if scope["type"] != "http" or not API_PATH.fullmatch(scope["path"]):
        return False
    return not ARTIFACT_PATH.fullmatch(scope["path"])


def is_json(headers: Headers) -> bool:
    """Whether `headers` are those of plain JSON."""
    values = dict(headers)
    media_type = values.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return media_type == b"application/json" and b"content-encoding" not in values


def with_length(headers: Headers, body: bytes) -> Headers:
    """`headers` with the length of `body`."""
    kept = [header for header in headers if header[0] != b"content-length"]
    return [*kept, (b"content-length", b"%d" % len(body))]


async def whole_body(receive: Receive) -> bytes | None:
    """Receive a request's whole body, as MLflow does; None if the client goes meanwhile."""
    chunks = []
    while (message := await receive())["type"] == "http.request":
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
    return None


def repeating(body: bytes, receive: Receive) -> Receive:
    """Make a `receive` that brings `body` again, then what `receive` brings."""
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
