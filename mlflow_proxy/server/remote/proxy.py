"""The reverse proxy: an ASGI application that answers as the tracking server does.

In place of an answer that a browser cannot use it sends its own: to a person a page with the reason
and the remedy, to a program an error as MLflow reports it.
"""

import asyncio
import contextlib
import html
import logging
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from string import Template

import aiohttp
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from yarl import URL

from mlflow_proxy.assets import tab_icons
from mlflow_proxy.headers import COMPRESSIBLE, MIN_COMPRESSED
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.middleware.policies import is_static_file

from . import diagnosis
from .boundary import RequestError, response_headers
from .client import Client

PAGE = "/"
EXPECTED = (StartError, aiohttp.ClientError, OSError, asyncio.TimeoutError)

GZIP_LEVEL = 4  # 6 takes twice as long for 5 % less

DASHBOARD = Path(__file__).parents[1] / "dashboard"
NO_STORE = {"Cache-Control": "no-store"}
# MLflow's names of errors.
CODES = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
}

_logger = logging.getLogger(__name__)


class RemoteProxy:
    """Passes requests on to the tracking server, bodies as streams in both directions."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":  # MLflow has none
            await send({"type": "websocket.close"})
        else:
            await self._serve(Request(scope, receive), send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._client.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._client.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Request, send: Send) -> None:
        scope = request.scope
        try:
            url = self._client.address.target(scope["raw_path"], scope["query_string"])
            # A person should read that the server hangs. Programs have time-outs of their own.
            timeout = diagnosis.ANSWER_TIMEOUT if is_page(scope) else None
            answer, page = await asyncio.wait_for(self._ask(request, url), timeout)
        except RequestError as error:
            own = error_response(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # of any kind: the client must get an answer
            if await request.is_disconnected():
                return
            own = self._failed(scope, error)
        else:
            with contextlib.closing(answer):  # also if it came before the whole request was read
                if refused := self._refusal(scope, url, answer, page):
                    await refused(scope, request.receive, send)
                else:
                    await self._send(request, url, answer, page, send)
            return
        await own(scope, request.receive, send)

    async def _ask(self, request: Request, url: URL) -> tuple[aiohttp.ClientResponse, bytes | None]:
        """The answer and, of the dashboard, the whole page, which shows whether it is one."""
        answer = await self._client.send(request.method, url, request.scope["headers"], request)
        return answer, await answer.read() if is_page(request.scope) else None

    async def _send(
        self,
        request: Request,
        url: URL,
        answer: aiohttp.ClientResponse,
        page: bytes | None,
        send: Send,
    ) -> None:
        """Send the answer; one that breaks off is not completed, so that the client notices."""
        headers = response_headers(answer.raw_headers)
        if (location := diagnosis.location_of(answer)) is not None:
            own = self._client.address.location(url, location)
            headers.append((b"location", (own or "").encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        try:
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                # Not while a body may still arrive, of which this would take a part.
                if request.method == "GET" and await request.is_disconnected():
                    return
        except (aiohttp.ClientError, OSError) as error:
            _logger.warning("The server's response is incomplete: %s", type(error).__name__)
        else:
            await send({"type": "http.response.body", "body": page or b""})

    def _refusal(
        self, scope: Scope, url: URL, answer: aiohttp.ClientResponse, page: bytes | None
    ) -> Response | None:
        """What is answered in place of an answer that neither page nor program can use."""
        location = diagnosis.location_of(answer)
        is_unauthorized = answer.status == HTTPStatus.UNAUTHORIZED
        if location is None:
            is_usable = not is_unauthorized and not is_page(scope)
        else:
            is_usable = self._client.address.location(url, location) is not None
        if is_usable:
            return None
        text = (page or b"").decode("utf-8", "replace")
        told = diagnosis.Answer(url, answer.status, location or "", text)
        status = HTTPStatus.UNAUTHORIZED if is_unauthorized else HTTPStatus.BAD_GATEWAY
        why = diagnosis.not_dashboard(self._client, told)
        return refusal(scope, why, status) if why else None

    def _failed(self, scope: Scope, error: Exception) -> Response:
        why = diagnosis.explain(self._client, [error])
        if not isinstance(error, EXPECTED):
            _logger.error("Internal error", exc_info=error)
        # Not the query, which may hold a secret, and not decoded, so that it stays one line.
        path = scope["raw_path"].decode("latin-1")
        what = (scope["method"], path, type(error).__name__, why.failure.reason)
        _logger.warning("%s %s: %s: %s", *what)
        return refusal(scope, why)


class CompressedStaticFiles:
    """Compresses static files, which MLflow sends uncompressed, on the way to the browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, MIN_COMPRESSED, GZIP_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        is_file = scope["type"] == "http" and is_static_file(scope)
        shrinks = is_file and PurePosixPath(scope["path"]).suffix in COMPRESSIBLE
        is_whole = shrinks and "range" not in Headers(scope=scope)
        await (self._compressed if is_whole else self._app)(scope, receive, send)


def is_page(scope: Scope) -> bool:
    """Whether a person opens the dashboard."""
    accept = Headers(scope=scope).get("accept", "")
    return bool(scope["method"] == "GET" and scope["path"] == PAGE and "text/html" in accept)


def refusal(scope: Scope, why: StartError, status: HTTPStatus = HTTPStatus.BAD_GATEWAY) -> Response:
    """Answer with the failure: 200 and a page to a person, `status` and JSON to a program."""
    failure = why.failure
    if not is_page(scope):
        return error_response(status, f"{failure.reason} {failure.remedy}")
    page = Template(_read("unreachable.html")).substitute(
        icon=html.escape(tab_icons()["failed"]),
        style=_read("unreachable.css"),
        script=_read("unreachable.js"),
        reason=html.escape(failure.reason),
        remedy=html.escape(failure.remedy),
    )
    return HTMLResponse(page, headers=NO_STORE)


def _read(name: str) -> str:
    return (DASHBOARD / name).read_text(encoding="utf-8")


def error_response(status: HTTPStatus, message: str) -> Response:
    """Answer a program as MLflow reports errors."""
    code = CODES.get(status, "TEMPORARILY_UNAVAILABLE")
    return JSONResponse({"error_code": code, "message": message}, status, NO_STORE)
