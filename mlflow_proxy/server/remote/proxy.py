"""The reverse proxy: an ASGI application that answers as the tracking server does."""

import asyncio
import logging
from http import HTTPStatus

import aiohttp
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from yarl import URL

from mlflow_proxy.headers import REDIRECTS
from mlflow_proxy.server.errors import StartError

from . import answers, checks, failures
from .address import TargetError, resolve
from .body import DisconnectedError, RequestBody
from .client import BodyTooLargeError, Client
from .headers import response_headers

MAX_WHOLE = 1 << 20  # bytes of a response that is sent only once it is complete
PAGE = "/"

KNOWN = (StartError, aiohttp.ClientError, OSError, asyncio.TimeoutError)

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
        address = self._client.address
        try:
            url = address.target(scope["raw_path"], scope["query_string"])
            sending = self._client.send(scope["method"], url, scope["headers"], body)
            # A person should read that the server hangs. Programs have time-outs of their own.
            timeout = checks.ANSWER_TIMEOUT if is_page(scope) else None
            answer = await asyncio.wait_for(sending, timeout)
        except DisconnectedError:
            return
        except TargetError:
            failed = answers.error(HTTPStatus.BAD_REQUEST, "This path leads out of the server's.")
        except BodyTooLargeError:
            message = "The request must be signed, for which its body is too large."
            failed = answers.error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        except Exception as error:  # of any kind: the client must get an answer
            failed = self._failed(scope, error)
        else:
            try:
                await self._answer(scope, url, answer, body, send)
            finally:
                answer.close()  # also if the server has answered before it has read everything
            return
        await respond(failed, scope, body, send)

    async def _answer(
        self,
        scope: Scope,
        url: URL,
        answer: aiohttp.ClientResponse,
        body: RequestBody,
        send: Send,
    ) -> None:
        """Send the answer; one that breaks off is not completed, so that the client notices."""
        whole = None
        try:
            if is_whole(scope, answer):
                # A client repeats a request after a 502, but not after an incomplete answer.
                whole = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            await respond(self._failed(scope, error), scope, body, send)
            return
        if refused := self._refusal(scope, url, answer, whole or b""):
            answer.close()
            await respond(refused, scope, body, send)
            return
        headers = response_headers(answer.raw_headers)
        if (location := redirect(answer)) is not None:
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
        except (aiohttp.ClientError, OSError) as error:
            _logger.warning("The tracking server broke off: %s", type(error).__name__)

    def _refusal(
        self, scope: Scope, url: URL, answer: aiohttp.ClientResponse, whole: bytes
    ) -> Response | None:
        """What is answered in place of an answer that neither page nor program can use."""
        address = self._client.address
        location = redirect(answer)
        if location is not None and address.location(url, location) is None:
            where = failures.redirected(address, resolve(url, location))
            return answers.failed(scope, where.failure)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            why = failures.unauthenticated(address)
            return answers.failed(scope, why.failure, HTTPStatus.UNAUTHORIZED)
        if is_page(scope) and location is None:
            text = whole.decode("utf-8", "replace")
            if why_not := no_dashboard(self._client, answer.status, text):
                return answers.failed(scope, why_not.failure)
        return None

    def _failed(self, scope: Scope, error: Exception) -> Response:
        why = failures.explain([error], self._client.address)
        if not isinstance(error, KNOWN):
            _logger.error("Internal error", exc_info=error)
        # Not the query, which may hold a secret, and not decoded, so that it stays one line.
        path = scope["raw_path"].decode("latin-1")
        what = (scope["method"], path, type(error).__name__, why.failure.reason)
        _logger.warning("%s %s: %s: %s", *what)
        return answers.failed(scope, why.failure)


def no_dashboard(client: Client, status: int, text: str) -> StartError | None:
    """Why a page is not the dashboard, if it is not."""
    address = client.address
    if known := checks.refusal(address, status, text):
        return known
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return failures.unhealthy(address, status)
    if status == HTTPStatus.OK and checks.DASHBOARD.search(text):
        return None
    return failures.wants_login(address) if checks.has_login(text) else failures.no_mlflow(address)


def redirect(answer: aiohttp.ClientResponse) -> str | None:
    """Where a redirect leads."""
    return answer.headers.get("Location") if answer.status in REDIRECTS else None


def is_page(scope: Scope) -> bool:
    """Whether a person opens the dashboard."""
    return scope["path"] == PAGE and answers.wants_page(scope)


def is_whole(scope: Scope, answer: aiohttp.ClientResponse) -> bool:
    """Whether the answer is sent only once it is complete: the page, and what says it is small."""
    length = answer.content_length
    is_small = length is not None and length <= MAX_WHOLE and answer.method != "HEAD"
    return is_small or is_page(scope)


async def respond(response: Response, scope: Scope, body: RequestBody, send: Send) -> None:
    """Send our own `response`, once the client has sent its body."""
    await body.discard()

    async def receive() -> dict[str, str]:
        raise RuntimeError("The body is read already")

    await response(scope, receive, send)
