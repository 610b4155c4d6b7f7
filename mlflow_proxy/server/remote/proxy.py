"""The reverse proxy: an ASGI application that answers as the tracking server does.

In place of an answer that a browser cannot use it sends its own: to a person a page with the reason
and the remedy, to a program an error as MLflow reports it.
"""

import asyncio
import contextlib
import html
import logging
from http import HTTPStatus
from string import Template

import aiohttp
import anyio
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from mlflow_proxy.addresses import STATIC_FILES
from mlflow_proxy.assets import tab_icons
from mlflow_proxy.headers import MIN_COMPRESSED
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.middleware.bodies import error_response
from mlflow_proxy.server.middleware.pages import is_changed, read

from . import diagnosis
from .boundary import RequestError, response_headers
from .client import Client, Upload
from .diagnosis import Answer

EXPECTED = (StartError, aiohttp.ClientError, OSError, asyncio.TimeoutError)

GZIP_LEVEL = 4  # 6 takes twice as long for 5 % less

_logger = logging.getLogger(__name__)


class RemoteProxy:
    """Passes requests on to the tracking server, bodies as streams in both directions."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Exchange one request for as long as its client waits."""
        request = Request(scope, receive)
        upload = Upload(request)
        async with anyio.create_task_group() as group:
            group.start_soon(upload.cancel_at_disconnect, group.cancel_scope)
            await self._exchange(request, upload, send)
            group.cancel_scope.cancel()

    async def _exchange(self, request: Request, upload: Upload, send: Send) -> None:
        scope = request.scope
        own: Response | None
        try:
            # A person should read that the server hangs. Programs have time-outs of their own.
            timeout = diagnosis.ANSWER_TIMEOUT if is_changed(scope) else None
            response, answer = await asyncio.wait_for(self._ask(request, upload), timeout)
        except RequestError as error:
            own = error_response(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", str(error))
        except Exception as error:  # of any kind: the client must get an answer
            if await request.is_disconnected():
                return
            own = self._failed(scope, error)
        else:
            with contextlib.closing(response):  # also if it came before the whole request was read
                own = self._refusal(scope, answer)
                if own is None:
                    await self._send(response, answer, send)
                    return
        await own(scope, request.receive, send)

    async def _ask(self, request: Request, upload: Upload) -> tuple[aiohttp.ClientResponse, Answer]:
        """The head of the response, and what it says; of what is rewritten the whole body."""
        scope = request.scope
        url = self._client.address.target(scope["raw_path"], scope["query_string"])
        response = await self._client.send(request.method, url, scope["headers"], upload)
        size = diagnosis.MAX_PAGE if is_changed(scope) else 0
        return response, await Answer.read(url, response, size)

    async def _send(self, response: aiohttp.ClientResponse, answer: Answer, send: Send) -> None:
        """Send the response; one that breaks off is not completed, so that the client notices."""
        headers = response_headers(response.raw_headers)
        if answer.location is not None:
            own = self._client.address.location(answer.url, answer.location)
            headers.append((b"location", (own or "").encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        try:
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except (aiohttp.ClientError, OSError) as error:
            _logger.warning("The server's response is incomplete: %s", type(error).__name__)
        else:
            await send({"type": "http.response.body", "body": answer.body})

    def _refusal(self, scope: Scope, answer: Answer) -> Response | None:
        """What is answered in place of an answer that neither page nor program can use."""
        is_unauthorized = answer.status == HTTPStatus.UNAUTHORIZED
        if answer.location is not None:
            is_usable = self._client.address.location(answer.url, answer.location) is not None
        elif is_page(scope):
            is_usable = answer.is_dashboard
        else:
            is_usable = not is_unauthorized and len(answer.body) < diagnosis.MAX_PAGE
        if is_usable:
            return None
        status = HTTPStatus.UNAUTHORIZED if is_unauthorized else HTTPStatus.BAD_GATEWAY
        return refusal(scope, diagnosis.explain(self._client, [answer]), status)

    def _failed(self, scope: Scope, error: Exception) -> Response:
        why = diagnosis.explain(self._client, [error])
        if not isinstance(error, EXPECTED):
            _logger.error("Internal error", exc_info=error)
        # Not the query, which may hold a secret, and not decoded, so that it stays one line.
        path = scope["raw_path"].decode("latin-1")
        what = (scope["method"], path, type(error).__name__, why.failure.reason)
        _logger.warning("%s %s: %s: %s", *what)
        return refusal(scope, why)


def application(client: Client, *routes: Route) -> Router:
    """The proxy, but for `routes`; compresses static files, which MLflow sends uncompressed."""
    proxy = RemoteProxy(client)
    compressed = GZipMiddleware(proxy, MIN_COMPRESSED, GZIP_LEVEL)
    answered = [*routes, Route(f"{STATIC_FILES}/{{path:path}}", compressed)]
    return Router(answered, redirect_slashes=False, default=proxy, lifespan=client.connected)


def is_page(scope: Scope) -> bool:
    accept = Headers(scope=scope).get("accept", "")
    return bool(scope["method"] == "GET" and scope["path"] == "/" and "text/html" in accept)


def refusal(scope: Scope, why: StartError, status: HTTPStatus = HTTPStatus.BAD_GATEWAY) -> Response:
    """Answer with the failure: 200 and a page to a person, `status` and JSON to a program."""
    if not is_page(scope):
        is_unauthorized = status is HTTPStatus.UNAUTHORIZED
        code = "UNAUTHENTICATED" if is_unauthorized else "TEMPORARILY_UNAVAILABLE"
        return error_response(status, code, str(why))
    page = Template(read("unreachable.html")).substitute(
        icon=html.escape(tab_icons()["failed"]),
        style=read("unreachable.css"),
        script=read("unreachable.js"),
        reason=html.escape(why.failure.reason),
        remedy=html.escape(why.failure.remedy),
    )
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})
