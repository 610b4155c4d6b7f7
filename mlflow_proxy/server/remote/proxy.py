"""The reverse proxy: an ASGI application that answers as the tracking server does.

In place of an answer that a browser cannot use it sends its own: to a person a page with the reason
and the remedy, to a program an error as MLflow reports it.
"""

import asyncio
import html
import logging
import re
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from string import Template

import aiohttp
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from yarl import URL

from mlflow_proxy.addresses import STATIC_FILE
from mlflow_proxy.assets import tab_icons
from mlflow_proxy.headers import COMPRESSIBLE, MAX_BUFFERED, MIN_COMPRESSED
from mlflow_proxy.server.failures import StartError

from . import diagnosis
from .body import DisconnectedError, RequestBody
from .boundary import TargetError, response_headers
from .client import BodyTooLargeError, Client

PAGE = "/"
EXPECTED = (StartError, aiohttp.ClientError, OSError, asyncio.TimeoutError)

GZIP_LEVEL = 4  # 6 takes twice as long for 5 % less

DASHBOARD = Path(__file__).parents[1] / "dashboard"
NO_STORE = {"Cache-Control": "no-store"}
# MLflow's names of errors.
CODES = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "BAD_REQUEST",
}
ADDRESS = re.compile(r"https?://[^\s<>&]+[^\s<>&.,;:)]")

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
            await self._serve(scope, RequestBody(scope, receive), send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._client.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._client.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, body: RequestBody, send: Send) -> None:
        """Exchange, until the client disconnects."""
        exchange = asyncio.create_task(self._exchange(scope, body, send))
        gone = asyncio.create_task(body.disconnect())
        try:
            await asyncio.wait({exchange, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = exchange.done()
            exchange.cancel()
            gone.cancel()
            await asyncio.gather(exchange, gone, return_exceptions=True)
        if ended:
            exchange.result()

    async def _exchange(self, scope: Scope, body: RequestBody, send: Send) -> None:
        try:
            url = self._client.address.target(scope["raw_path"], scope["query_string"])
            sending = self._client.send(scope["method"], url, scope["headers"], body)
            # A person should read that the server hangs. Programs have time-outs of their own.
            timeout = diagnosis.ANSWER_TIMEOUT if is_page(scope) else None
            answer = await asyncio.wait_for(sending, timeout)
        except DisconnectedError:
            return
        except TargetError:
            failed = error(HTTPStatus.BAD_REQUEST, "This path is not below the server's address.")
        except BodyTooLargeError:
            message = "The request must be signed, for which its body is too large."
            failed = error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        except Exception as exception:  # of any kind: the client must get an answer
            failed = self._failed(scope, exception)
        else:
            try:
                await self._answer(scope, url, answer, body, send)
            finally:
                answer.close()  # also if the server has answered before it has read everything
            return
        await respond(failed, scope, body, send)

    async def _answer(
        self, scope: Scope, url: URL, answer: aiohttp.ClientResponse, body: RequestBody, send: Send
    ) -> None:
        """Send the answer; one that breaks off is not completed, so that the client notices."""
        try:
            # A client repeats a request after a 502, but not after an incomplete answer.
            whole = await answer.read() if is_buffered(scope, answer) else None
        except (aiohttp.ClientError, OSError) as exception:
            await respond(self._failed(scope, exception), scope, body, send)
            return
        if refused := self._refusal(scope, url, answer, whole or b""):
            answer.close()
            await respond(refused, scope, body, send)
            return
        headers = response_headers(answer.raw_headers)
        if (location := diagnosis.location_of(answer)) is not None:
            own = self._client.address.location(url, location)
            headers.append((b"location", (own or "").encode()))
        if whole is not None and not body.is_complete:
            answer.close()
            await body.discard()
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if whole is not None:
            await send({"type": "http.response.body", "body": whole})
            return
        try:
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body"})
        except (aiohttp.ClientError, OSError) as exception:
            _logger.warning("The server's response is incomplete: %s", type(exception).__name__)

    def _refusal(
        self, scope: Scope, url: URL, answer: aiohttp.ClientResponse, whole: bytes
    ) -> Response | None:
        """What is answered in place of an answer that neither page nor program can use."""
        client, location = self._client, diagnosis.location_of(answer)
        text = whole.decode("utf-8", "replace") if is_page(scope) else ""
        told = diagnosis.Answer(url, answer.status, location or "", text)
        is_unauthorized = answer.status == HTTPStatus.UNAUTHORIZED
        leads_elsewhere = location is not None and client.address.location(url, location) is None
        why = None
        if is_unauthorized or leads_elsewhere:
            why = diagnosis.known(client, diagnosis.REFUSED, [told])
        elif is_page(scope) and location is None:
            why = diagnosis.not_dashboard(client, told)
        status = HTTPStatus.UNAUTHORIZED if is_unauthorized else HTTPStatus.BAD_GATEWAY
        return refusal(scope, why, status) if why else None

    def _failed(self, scope: Scope, exception: Exception) -> Response:
        why = diagnosis.explain(self._client, [exception])
        if not isinstance(exception, EXPECTED):
            _logger.error("Internal error", exc_info=exception)
        # Not the query, which may hold a secret, and not decoded, so that it stays one line.
        path = scope["raw_path"].decode("latin-1")
        what = (scope["method"], path, type(exception).__name__, why.failure.reason)
        _logger.warning("%s %s: %s: %s", *what)
        return refusal(scope, why)


class RemoteStaticFiles:
    """Answers requests for static files outside of the sandbox, compressed on the way.

    Browsers keep them for four weeks, as MLflow tells them.
    """

    def __init__(self, app: ASGIApp, server: ASGIApp) -> None:
        """`server` answers as the tracking server does."""
        self._app = app
        self._server = server
        self._compressed = GZipMiddleware(server, MIN_COMPRESSED, GZIP_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or not STATIC_FILE.fullmatch(
            scope["raw_path"].decode("latin-1")
        ):
            app = self._app
        elif PurePosixPath(scope["path"]).suffix in COMPRESSIBLE and "range" not in Headers(
            scope=scope
        ):
            app = self._compressed
        else:
            app = self._server
        await app(scope, receive, send)


def is_page(scope: Scope) -> bool:
    """Whether a person opens the dashboard."""
    return scope["path"] == PAGE and wants_page(scope)


def wants_page(scope: Scope) -> bool:
    """Whether a person has opened the address in a browser."""
    accept = Headers(scope=scope).get("accept", "")
    return bool(scope["method"] == "GET" and "text/html" in accept)


def is_buffered(scope: Scope, answer: aiohttp.ClientResponse) -> bool:
    """Whether the answer is sent only once it is complete: the page, and what says it is small."""
    length = answer.content_length
    is_small = length is not None and length <= MAX_BUFFERED and answer.method != "HEAD"
    return is_small or is_page(scope)


async def respond(response: Response, scope: Scope, body: RequestBody, send: Send) -> None:
    """Send our own `response`, once the client has sent its body."""
    await body.discard()

    async def receive() -> dict[str, str]:
        raise RuntimeError("The body is read already")

    await response(scope, receive, send)


def refusal(scope: Scope, why: StartError, status: HTTPStatus = HTTPStatus.BAD_GATEWAY) -> Response:
    """Answer with the failure: 200 and a page to a person, `status` and JSON to a program."""
    failure = why.failure
    if not wants_page(scope):
        return error(status, f"{failure.reason} {failure.remedy}")
    page = Template(_read("unreachable.html")).substitute(
        icon=html.escape(tab_icons()["failed"]),
        style=_read("unreachable.css"),
        script=_read("unreachable.js"),
        reason=linked(failure.reason),
        remedy=linked(failure.remedy),
    )
    return HTMLResponse(page, headers=NO_STORE)


def _read(name: str) -> str:
    return (DASHBOARD / name).read_text(encoding="utf-8")


def error(status: HTTPStatus, message: str) -> Response:
    """Answer a program as MLflow reports errors."""
    code = CODES.get(status, "TEMPORARILY_UNAVAILABLE")
    return JSONResponse({"error_code": code, "message": message}, status, NO_STORE)


def linked(text: str) -> str:
    """`text` as HTML, with a link for each address in it."""
    link = r'<a href="\g<0>" target="_blank" rel="noreferrer">\g<0></a>'
    return ADDRESS.sub(link, html.escape(text))
