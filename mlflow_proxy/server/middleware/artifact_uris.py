"""Shows a folder of artifacts as `mlflow-artifacts:/` to clients on other machines.

Experiments keep their artifacts in a folder, because a kernel that opens the store itself has no
server to ask. A client on another machine would take that folder for one of its own. The REST API,
which such clients use, therefore shows it as `mlflow server` does, and clients send their artifacts
through the server. The dashboard uses another part of the API and shows the folder.
"""

import json
import re
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .bodies import is_api_response, is_json, rewriting, with_body

# The REST API that clients use, but for what sends artifacts.
CLIENTS_API = re.compile(
    r"/api/\d\.0/mlflow/"
    r"(?!(?:logged-models/[^/]+/artifacts/files|get-trace-artifact)\Z).*",
    re.DOTALL,
)
SCHEME = b"mlflow-artifacts:"
# In quotes: a JSON string, one within another, one in a filter. A URI that could lead out of the
# folder, or that means something else as a path, is left to MLflow: `..`, `//`, `%2e`, `?`, `#`. So
# is one that is longer than a path can be, because the time and memory of a match grow with it.
URI = re.compile(
    rb"""(["'])mlflow-artifacts:(/(?!/)(?:"""
    rb"""(?!\.\.|\1)[^"\\?#%]|%(?![0-9A-Fa-f]{2})|\\{1,2}u(?!00[0-7])[0-9A-Fa-f]{4}){0,4096}\\{0,9}\1)"""
)
URI_IN_QUERY = re.compile(rb"(?<=%27)mlflow-artifacts%3A(?=%2F)")
ESCAPED = re.compile(r'["\\\x00-\x1f]')  # in JSON, and twice in JSON within JSON


def local_folder(artifact_root: str) -> str:
    """The folder (a path or a `file:` URI) of `artifact_root`; empty for any other root."""
    folder = artifact_root.rstrip("/")
    is_local = folder.startswith("/") or urlsplit(folder).scheme == "file"
    return folder if is_local and not ESCAPED.search(folder) else ""


class ArtifactUris:
    """Maps `root` to `mlflow-artifacts:/` in responses to clients, and back in their requests.

    Any other root than a local folder is left alone. So are requests unless `keeps_folders`: then
    MLflow stores what the client has sent.
    """

    def __init__(self, app: ASGIApp, root: str, keeps_folders: bool = True) -> None:
        self._app = app
        self._keeps_folders = keeps_folders
        folder = local_folder(root)
        self._folder = folder.encode()
        self._quoted = quote(folder, safe="").encode()
        escaped = json.dumps(folder)[1:-1]  # MLflow writes ASCII
        spellings = {folder, escaped, escaped.replace("\\", r"\\")}
        self._spellings = [spelling.encode() for spelling in spellings]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        if self._folder and is_http and CLIENTS_API.fullmatch(scope["path"]):
            send = rewriting(send, is_api_response, self.with_uris)
            if self._keeps_folders:
                query = URI_IN_QUERY.sub(self._quoted, scope["query_string"])
                scope = {**scope, "query_string": query}
                if is_json(Headers(scope=scope)):
                    await self._map_both(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    async def _map_both(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        headers = MutableHeaders(raw=list(scope["headers"]))
        # If MLflow refuses the folder, nothing was done. It gets the client's own request then, to
        # accept or to refuse.
        for sent in dict.fromkeys((self.with_folders(body), body)):
            answer.clear()
            headers["content-length"] = str(len(sent))
            await self._app({**scope, "headers": headers.raw}, with_body(sent, receive), keep)
            if answer[0]["status"] != HTTPStatus.BAD_REQUEST:
                break
        for message in answer:
            await send(message)

    def with_folders(self, body: bytes) -> bytes:
        if SCHEME not in body:
            return body
        return URI.sub(lambda uri: uri[1] + self._folder + uri[2], body)

    def with_uris(self, body: bytes) -> bytes:
        for folder in self._spellings:
            if folder not in body:
                continue
            body = body.replace(b'"%b"' % folder, b'"mlflow-artifacts:/"')
            for mark in (b'"', b"'"):
                body = body.replace(b"%b%b/" % (mark, folder), mark + b"mlflow-artifacts:/")
        return body
