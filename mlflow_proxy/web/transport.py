"""Answers a request: by MLflow, with back-pressure in both directions, or in its place.

jupyter-server-proxy's own transport buffers a whole request and a whole response in Jupyter's
memory, stops at 100 MiB and cannot send a `DELETE` with a body.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
from tornado import httputil, web
from tornado.iostream import StreamClosedError
from yarl import URL

from mlflow_proxy.headers import (
    FRAME_OPTIONS,
    LOCAL_HOST,
    LOCAL_ORIGIN,
    REDIRECTS,
    Headers,
    as_utf8,
    below,
    end_to_end,
)
from mlflow_proxy.life import Life
from mlflow_proxy.process import MLflowProcess
from mlflow_proxy.status import State

from .decide import Decision, Request, decide
from .pages import Answer, dashboard_frame, error_answer, loading_page, static_file, unavailable

ANY_SIZE = 1 << 62  # bytes
MAX_REFUSED = 512 << 10  # bytes of a body that is read although the request is refused
MAX_DISCARDED = 16 << 20  # bytes of a body that a client may still send although they are not used
MAX_BUFFERED = 1 << 20  # bytes of a response that is sent only once it is complete
SAFE = ("GET", "HEAD")  # methods of requests that change nothing
CHUNKS = 2  # of a request in memory at a time; tornado reads 64 KiB each
ASCII = bytes(range(0x21, 0x7F))  # visible

BROKEN_OFF = error_answer(HTTPStatus.BAD_GATEWAY, "MLflow closed the connection.")
NOT_PRIVATE = error_answer(HTTPStatus.BAD_GATEWAY, "MLflow's socket is not private.")

_logger = logging.getLogger(__name__)


def is_small(headers: httputil.HTTPHeaders) -> bool:
    """Whether the body of a request with these headers is read although it is refused."""
    length = headers.get("Content-Length", "0")
    is_chunked = "Transfer-Encoding" in headers
    return not is_chunked and length.isdecimal() and int(length) <= MAX_REFUSED


class RequestBody:
    """A bounded stream of chunks: `put` blocks until the reader catches up."""

    END = b""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=CHUNKS)
        self._is_read = self._is_closed = False
        self.discarded = 0
        """Bytes put after `close`."""

    async def put(self, chunk: bytes) -> None:
        """Add `chunk`, or `END` after the last one; blocks while the stream is full."""
        if self._is_closed:
            self.discarded += len(chunk)
        else:
            await self._chunks.put(chunk)

    def close(self) -> None:
        """Stop reading: discard what is put from now on, so that `put` does not block."""
        self._is_closed = True
        while not self._chunks.empty():
            self._chunks.get_nowait()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks.

        Raises:
            RuntimeError: on the second call. aiohttp may repeat a `PUT` after its connection broke,
                and would send only the rest of the body.
        """
        if self._is_read:
            raise RuntimeError("A streamed body can be read only once")
        self._is_read = True
        return self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        while chunk := await self._chunks.get():
            yield chunk


@web.stream_request_body
class StreamingTransport(web.RequestHandler):
    """One request and its response; a subclass says who may send it, and what is changed.

    tornado calls `prepare`, `data_received` with each chunk of the body, then `complete`. The
    exchange with MLflow begins with the first chunk and may end before the last.
    """

    life: Life
    source = "jupyter"
    """The address that the request came through, in the metrics."""

    waits = False
    """Whether a client waits also while MLflow starts for the first time."""

    on_kept_connections: tuple[str, ...] = SAFE
    """Methods that use a connection again: aiohttp repeats them if MLflow closes it just then.

    It would also repeat a PUT, whose body is gone.
    """

    _refusal: web.HTTPError | None = None
    _exchange: asyncio.Task[None] | None = None
    _body: RequestBody | None = None
    _has_failed = _is_answered = False

    @property
    def prefix(self) -> str:
        """What stands before MLflow's own path in the request's, without a slash at its end."""
        raise NotImplementedError

    async def admit(self, *args: Any, **kwargs: Any) -> None:
        """Check who asks.

        Raises:
            tornado.web.HTTPError: the request is refused.
        """
        raise NotImplementedError

    def sent_headers(self) -> Headers:
        return request_headers(self.request.headers, self.prefix)

    def frame_ancestors(self) -> str:
        """The directive that says who may show a page of ours in a frame; may be empty."""
        return ""

    async def may_see_log(self) -> bool:
        return False

    def write_refusal(self, error: web.HTTPError) -> None:
        """Write the body of the response to a request that was refused."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(error.log_message or error.reason or "")

    def _record_activity(self) -> None:
        """Record activity if the request counts as use; jupyter-server-proxy calls this, too."""
        if self.mlflows_request.is_use:
            self.life.record_activity()

    async def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Admit the request, then accept a body of any size."""
        try:
            await self.admit(*args, **kwargs)
            if not self._finished:
                self._accept()
        except web.HTTPError as error:
            if "Upgrade" in self.request.headers or not is_small(self.request.headers):
                raise
            # Until the body has arrived, an answer would close the connection, which a client that
            # is still sending often notices before it reads the answer.
            self._refusal = error

    def _accept(self) -> None:
        # tornado's `compress_response` would re-encode MLflow's response.
        self._transforms: list[Any] = []
        # ServerApp.max_body_size protects Jupyter's memory, which a streamed body does not fill.
        self._connection.set_max_body_size(ANY_SIZE)
        self._connection.set_body_timeout(None)  # an upload may take hours
        self._record_activity()

    async def data_received(self, chunk: bytes) -> None:
        """Send a chunk of the body on; tornado reads no more until this returns."""
        if self._refusal is not None:
            return
        self._record_activity()
        self.life.metrics.received.labels(self.source).inc(len(chunk))
        body = self._body
        if body is None:
            body = self._body = RequestBody()
            self._exchange = asyncio.create_task(self._run_exchange())
        await body.put(chunk)
        # A client that sends everything before it reads should get our response, up to a limit.
        if self._has_failed and body.discarded > MAX_DISCARDED:
            self._connection.close()

    async def complete(self) -> None:
        if self._refusal is not None:
            self.set_status(self._refusal.status_code)
            self.write_refusal(self._refusal)
            return
        if self._body is not None:
            await self._body.put(RequestBody.END)
        exchange = self._exchange = self._exchange or asyncio.create_task(self._run_exchange())
        await asyncio.wait([exchange])

    def on_connection_close(self) -> None:
        """Close the connection to MLflow when the client has disconnected."""
        super().on_connection_close()
        # WebSocketHandler's method, above, does not call RequestHandler's, which ends the body.
        web.RequestHandler.on_connection_close(self)
        if self._exchange is not None:
            self._exchange.cancel()

    @functools.cached_property
    def mlflows_request(self) -> Request:
        """What of the request decides what is done about it."""
        path = self.request.path.removeprefix(self.prefix)
        return Request(self.request.method or "", path, self.request.headers, self.waits)

    async def _run_exchange(self) -> None:
        request = self.mlflows_request
        try:
            with self.life.last_use.request(request.seconds_since_use):
                await self._answer()
        except StreamClosedError:  # the client has disconnected
            pass
        except Exception as error:  # of any kind: the client must not wait or take a part
            # It has just crashed, and connections that are kept are broken as well.
            is_down = isinstance(error, aiohttp.ClientOSError) and request.method in SAFE
            if is_down or isinstance(error, aiohttp.ClientConnectorError):
                self._warn_of(error, "MLflow cannot be reached")
                await self._send_error(unavailable(request, self.life.status))
            else:
                self._warn_of(error, "MLflow closed the connection")
                await self._send_error(BROKEN_OFF)
        finally:
            if self._body is not None:
                self._body.close()
            status = f"{self.get_status() // 100}xx" if self._is_answered else "aborted"
            self.life.metrics.requests.labels(self.source, status).inc()
            if not self._is_answered:  # tornado would end the response as if it were complete
                self._connection.close()

    async def _answer(self) -> None:
        if self.mlflows_request.is_use:
            await self.life.check_store()
        decision = decide(self.mlflows_request, self.life.status)
        self._act(decision)
        if decision in (Decision.PROXY, Decision.WAKE) and (process := await self.life.ready()):
            with process.in_use():
                if process.is_private:
                    await self._exchange_with(process)
                else:
                    await self._send_error(NOT_PRIVATE)
        else:
            answer = await self._own_answer(decision)
            is_error = answer.status >= HTTPStatus.BAD_REQUEST
            await (self._send_error if is_error else self._send_own)(answer)

    def _act(self, decision: Decision) -> None:
        status = self.life.status
        match decision:
            case Decision.WAKE | Decision.RETRY:
                self.life.start()
            case Decision.PAGE if status.retries.is_due_for_people:
                self.life.start()
            case Decision.INPUT if status.state is State.IDLE and self.mlflows_request.is_use:
                self.life.start()

    async def _own_answer(self, decision: Decision) -> Answer:
        request, status = self.mlflows_request, self.life.status
        folder = status.static_folder
        if decision is Decision.PAGE:
            document = status.document(may_see_log=await self.may_see_log())
            return loading_page(request, status, document)
        if decision is Decision.INPUT:
            return Answer(HTTPStatus.NO_CONTENT, headers=(("Cache-Control", "no-store"),))
        if folder and decision is Decision.DASHBOARD_FRAME:
            return dashboard_frame(folder)
        if folder and decision is Decision.STATIC_FILE:
            return await asyncio.to_thread(static_file, folder, request.path, request.headers)
        return unavailable(request, status)

    async def _exchange_with(self, process: MLflowProcess) -> None:
        is_kept = self.request.method in self.on_kept_connections
        kept = nullcontext(process.session) if is_kept else process.session_for_one_request()
        async with kept as session:
            answer = await session.request(
                self.request.method or "",
                request_url((self.request.uri or "")[len(self.prefix) :]),
                headers=self.sent_headers(),
                data=self._body,
                allow_redirects=False,
            )
            with contextlib.closing(answer):  # also if MLflow has not read the whole request
                await self._send_answer(answer)

    async def _send_answer(self, answer: aiohttp.ClientResponse) -> None:
        # MLflow's client retries after a 502, but not after an incomplete response.
        length = answer.content_length
        whole = await answer.read() if length is not None and length <= MAX_BUFFERED else b""
        self.set_status(answer.status, answer.reason)
        self._headers = answer_headers(answer, self.prefix, self.frame_ancestors())
        await self._send_chunk(whole)
        async for chunk in answer.content.iter_any():
            self._record_activity()
            await self._send_chunk(chunk)
        self._is_answered = True
        self._record_activity()

    async def _send_chunk(self, chunk: bytes) -> None:
        self.life.metrics.sent.labels(self.source).inc(len(chunk))
        self.write(chunk)
        await self._flush()

    async def _flush(self) -> None:
        # jupyter-server-proxy replaces `flush` on the instance by a wrapper that returns at once.
        await web.RequestHandler.flush(self)

    def _warn_of(self, error: Exception, reason: str) -> None:
        request = self.mlflows_request  # the whole path may hold the gateway's credential
        name = type(error).__name__  # aiohttp's messages hold the headers, with Jupyter's token
        _logger.warning("%s: %s %s: %s", reason, request.method, request.path, name)

    async def _send_error(self, answer: Answer) -> None:
        """Send an error response, unless a part of the response has been sent."""
        self._has_failed = True
        if not self._headers_written:
            self.clear()
            await self._send_own(answer)

    async def _send_own(self, answer: Answer) -> None:
        self.set_status(answer.status)
        self.clear_header("Content-Security-Policy")
        for name, value in answer.headers:
            self.set_header(name, value)
        if ancestors := self.frame_ancestors():
            self.add_header("Content-Security-Policy", ancestors)
        if answer.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            self.set_header("Content-Length", len(answer.body))
            self.write(answer.body)
            self.life.metrics.sent.labels(self.source).inc(len(answer.body))
        with contextlib.suppress(StreamClosedError):
            await self._flush()
        self._is_answered = True

    @property
    def _connection(self) -> Any:
        return self.request.connection  # tornado's type lacks what its HTTP/1 connection has


def request_url(target: str) -> URL:
    """The address of `target`, as received: decoding and quoting it again would change a `%2F`."""
    path, _, query = quote(target.encode("latin-1"), safe=ASCII).partition("?")
    return URL.build(scheme="http", host=LOCAL_HOST, path=path, query_string=query, encoded=True)


def request_headers(headers: httputil.HTTPHeaders, prefix: str) -> Headers:
    """The headers for MLflow of a request that has passed Jupyter's checks.

    MLflow need not judge by what a proxy has made of Host and Origin, and no client can set them.
    """
    headers = headers.copy()
    headers["Host"] = LOCAL_HOST
    headers.pop("Sec-Fetch-Site", None)
    if "Origin" in headers:
        headers["Origin"] = LOCAL_ORIGIN
    for name in ("X-Forwarded-Context", "X-ProxyContextPath", "X-Forwarded-Prefix"):
        headers[name] = prefix
    kept = [(n, as_utf8(v)) for n, v in end_to_end(headers.get_all()) if n != "Expect"]
    # The connection is used once. But a server that knows closes it on a body that it does not
    # read, which discards its response.
    return [*kept, ("Connection", "keep-alive")]


def answer_headers(
    answer: aiohttp.ClientResponse, prefix: str, frame_ancestors: str
) -> httputil.HTTPHeaders:
    """The headers of `answer` for the browser; `frame_ancestors` says who may frame it."""
    headers = httputil.HTTPHeaders()
    raw = [(name.decode("latin-1"), v.decode("latin-1")) for name, v in answer.raw_headers]
    for name, value in end_to_end(raw):
        is_redirect = name.lower() == "location" and answer.status in REDIRECTS
        if name.lower() != FRAME_OPTIONS[0].lower():
            headers.add(name, below(prefix, value) if is_redirect else value)
    if frame_ancestors:
        headers.add("Content-Security-Policy", frame_ancestors)
    return headers
