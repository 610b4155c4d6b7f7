"""The tracking server's static files: compressed once, and kept in the user's cache folder."""

import hashlib
import re
from io import BytesIO
from pathlib import PurePosixPath

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.staticfiles import NotModifiedResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.server.middleware.bodies import collecting
from mlflow_proxy.shared.addresses import STATIC_FILES
from mlflow_proxy.shared.compressed_files import HEADERS, SUFFIXES, Twin, twin_of

# Nothing that a server could decode to another path: these answers are not in the sandbox.
FILE = re.compile(rf"{STATIC_FILES}(?:/(?!\.)[\w.~-]+)+".encode(), re.ASCII)
# The name holds a hash of the content, so that the content never changes.
HASHED = re.compile(rb".*\.[0-9a-f]{8,64}\.(?:[\w-]+\.)*[a-z]+")
MAX_KEPT = 16 << 20  # bytes of a file that is kept


class RemoteStaticFiles:
    """Answers requests for static files: what `server` answers, compressed."""

    def __init__(self, app: ASGIApp, server: ASGIApp, address: str) -> None:
        """`server` answers as the one at `address` does."""
        self._app = app
        self._server = server
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or not FILE.fullmatch(scope["raw_path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_kept = PurePosixPath(scope["path"]).suffix in SUFFIXES and "range" not in headers
        if scope["method"] in ("GET", "HEAD") and is_kept and HASHED.fullmatch(scope["raw_path"]):
            await self._answer(scope, receive, send, headers.get("accept-encoding", ""))
        else:
            await self._server(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, accepted: str) -> None:
        key = hashlib.sha256(f"{self._address}{scope['path']}".encode()).hexdigest()[:16]
        name = f"{PurePosixPath(scope['path']).name}-{key}"
        if twin := await anyio.to_thread.run_sync(twin_of, name, accepted, None):
            await respond(twin, scope, receive, send)
            return
        if scope["method"] == "HEAD":
            await self._server(scope, receive, send)
            return

        async def keep(start: Message, body: bytes) -> None:
            twin = await anyio.to_thread.run_sync(twin_of, name, accepted, lambda: BytesIO(body))
            if twin:
                await respond(twin, scope, receive, send)
            else:
                await send(start)
                await send({"type": "http.response.body", "body": body})

        collect = collecting(send, is_plain, keep)
        await self._server(without_conditions(scope), receive, collect)


def is_plain(start: Message) -> bool:
    """Whether a response begins whose body should be compressed and kept."""
    headers = Headers(raw=start["headers"])
    length = headers.get("content-length", "")
    is_small = length.isdecimal() and int(length) <= MAX_KEPT
    return start["status"] == 200 and is_small and "content-encoding" not in headers  # noqa: PLR2004


def without_conditions(scope: Scope) -> Scope:
    """`scope` without headers to which a server answers that nothing has changed."""
    headers = [(name, value) for name, value in scope["headers"] if not name.startswith(b"if-")]
    return {**scope, "headers": headers}


async def respond(twin: Twin, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a compressed file, or that the browser has it."""
    status = await anyio.to_thread.run_sync(twin.path.stat)
    response = FileResponse(
        twin.path,
        headers=dict([*HEADERS, ("Content-Encoding", twin.coding)]),
        media_type=MEDIA_TYPES[PurePosixPath(scope["path"]).suffix],
        stat_result=status,
    )
    if Headers(scope=scope).get("if-none-match") == response.headers["etag"]:
        await NotModifiedResponse(response.headers)(scope, receive, send)
    else:
        await response(scope, receive, send)


MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
