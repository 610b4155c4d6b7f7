"""The `/mlflow/` route: jupyter-server-proxy's own, with a transport that streams both ways.

Login, start of the supervisor, activity tracking and WebSockets are jupyter-server-proxy's. Its
transport buffers a whole request and a whole response in Jupyter's memory, stops at 100 MiB and
cannot send a `DELETE` with a body. This one streams with back-pressure.
"""

import asyncio
import contextlib
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.handlers import SuperviseAndProxyHandler
from tornado import web
from tornado.iostream import StreamClosedError

from mlflow_proxy.shared.private_files import is_private_folder

from .access import AccessChecks
from .forwarding import answer_headers, request_headers, request_url
from .framing import frame_ancestors
from .last_activity import counts_as_activity
from .request_body import RequestBody

ANY_SIZE = 1 << 62  # bytes
MAX_HEADER = 64 << 10  # bytes of one header of a response; aiohttp's default is 8 KiB
MAX_BUFFERED = 1 << 20  # bytes of a response that is sent only once it is complete
MAX_REFUSED = 512 << 10  # bytes of a body that is read although the request is refused
MAX_DISCARDED = 16 << 20  # bytes that a client may still send after a failure
RETRY_AFTER = 1  # seconds


def streaming_handler(name: str, process: dict[str, Any]) -> tuple[type[Any], dict[str, Any]]:
    """Build the handler and its arguments for jupyter-server-proxy's description `process`."""
    handler, arguments = ServerProcess(name=name, **process).make_proxy_handler()
    return type("MLflowHandler", (StreamingHandler, handler), {}), arguments


@web.stream_request_body
class StreamingHandler(AccessChecks, SuperviseAndProxyHandler):  # type: ignore[misc]
    """One request and its response.

    tornado calls `prepare`, then `data_received` with each chunk of the body, then `get`, `post`
    and so on, which call `proxy`. The exchange with MLflow begins with the first chunk and may end
    before the last.
    """

    _refusal: web.HTTPError | None = None
    _exchange: asyncio.Task[None] | None = None
    _body: RequestBody | None = None
    _has_failed = _is_answered = False

    async def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Check who asks, start the supervisor if necessary, then accept a body of any size."""
        try:
            await self._admit(*args, **kwargs)
        except web.HTTPError as error:
            if "Upgrade" in self.request.headers or not self._has_small_body():
                raise
            # Until the body has arrived, an answer would close the connection, which a client that
            # is still sending often notices before it reads the answer.
            self._refusal = error

    def _has_small_body(self) -> bool:
        length = self.request.headers.get("Content-Length", "0")
        is_chunked = "Transfer-Encoding" in self.request.headers
        return not is_chunked and length.isdecimal() and int(length) <= MAX_REFUSED

    async def _admit(self, *args: Any, **kwargs: Any) -> None:
        if self.is_from_foreign_page():
            # MLflow's words.
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "Cross-origin request blocked")
        await super().prepare(*args, **kwargs)
        if self._finished:  # redirected to the login page
            return
        self.set_xsrf_cookie()
        # tornado's `compress_response` would re-encode MLflow's response.
        self._transforms: list[Any] = []
        await self.ensure_process()
        if not is_private_folder(Path(self.unix_socket).parent):
            raise web.HTTPError(HTTPStatus.BAD_GATEWAY, "MLflow's socket is not private")
        # ServerApp.max_body_size protects Jupyter's memory, which a streamed body does not fill.
        self._connection.set_max_body_size(ANY_SIZE)
        self._record_activity()

    async def data_received(self, chunk: bytes) -> None:
        """Send a chunk of the body on; tornado reads no more until this returns."""
        if self._refusal is not None:
            return
        self._record_activity()
        body = self._body
        if body is None:
            body = self._body = RequestBody()
            self._exchange = asyncio.create_task(self._run_exchange())
        await body.put(chunk)
        # A client that sends everything before it reads should get our response, up to a limit.
        if self._has_failed and body.discarded > MAX_DISCARDED:
            self._connection.close()

    async def proxy(self, port: int, path: str) -> None:
        """Wait for the response; the request is complete."""
        if self._refusal is not None:
            self.set_status(self._refusal.status_code)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.write(self._refusal.log_message or self._refusal.reason or "")
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

    def _log(self) -> None:
        """Log the request as Jupyter does, but a 503 during a start at DEBUG.

        Jupyter would log seven lines of error for each such request, and MLflow's dashboard sends
        nine of them.
        """
        if self.get_status() == HTTPStatus.SERVICE_UNAVAILABLE:
            self.log.debug("MLflow is not ready: %s %s", self.request.method, self.request.path)
        else:
            super()._log()

    async def _run_exchange(self) -> None:
        try:
            await self._request()
        except StreamClosedError:  # the client has disconnected
            pass
        except aiohttp.ClientConnectorError as error:
            await self._send_error(
                HTTPStatus.SERVICE_UNAVAILABLE, "MLflow cannot be reached", error
            )
        except Exception as error:  # whatever the error, the client must not wait or take a part
            await self._send_error(HTTPStatus.BAD_GATEWAY, "MLflow closed the connection", error)
        finally:
            if self._body is not None:
                self._body.close()
            if not self._is_answered:  # tornado would end the response as if it were complete
                self._connection.close()

    async def _request(self) -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self.unix_socket, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        ) as session:
            answer = await session.request(
                self.request.method,
                request_url(self.request.uri[len(self.prefix) :]),
                headers=request_headers(self.proxy_request_headers(), self.prefix),
                data=self._body,
                allow_redirects=False,
            )
            try:
                await self._send_answer(answer)
            finally:
                answer.close()  # also if MLflow has responded before it has read everything

    async def _send_answer(self, answer: aiohttp.ClientResponse) -> None:
        # MLflow's client retries after a 502, but not after an incomplete response.
        length = answer.content_length
        whole = await answer.read() if length is not None and length <= MAX_BUFFERED else b""
        self.set_status(answer.status, answer.reason)
        path = self.request.path.removeprefix(self.prefix)
        ancestors = frame_ancestors(self.settings.get("headers", {}), path)
        self._headers = answer_headers(answer, self.prefix, ancestors)
        self.write(whole)
        await self._flush()
        async for chunk in answer.content.iter_any():
            self._record_activity()
            self.write(chunk)
            await self._flush()
        self._is_answered = True
        self._record_activity()

    def _record_activity(self) -> None:
        # jupyter-server-proxy 4.5 has no setting for what counts.
        if counts_as_activity(self):
            super()._record_activity()

    async def _flush(self) -> None:
        # jupyter-server-proxy replaces `flush` on the instance by a wrapper that returns at once.
        await web.RequestHandler.flush(self)

    async def _send_error(self, status: HTTPStatus, reason: str, error: Exception) -> None:
        """Send an error response, unless a part of the response has been sent."""
        # Only the type of the error: aiohttp's messages hold the headers, with Jupyter's token.
        what = (self.request.method, self.request.path, type(error).__name__)
        self.log.warning(f"{reason}: %s %s: %s", *what)
        self._has_failed = True
        if self._headers_written:
            return
        self.clear()
        self.set_status(status)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.set_header("Retry-After", RETRY_AFTER)
        self.set_header("Cache-Control", "no-store")
        self.write({"error_code": "TEMPORARILY_UNAVAILABLE", "message": f"{reason}."})
        self.set_header("Content-Length", sum(map(len, self._write_buffer)))
        with contextlib.suppress(StreamClosedError):
            await self._flush()
        self._is_answered = True

    @property
    def _connection(self) -> Any:
        return self.request.connection  # tornado's type lacks what its HTTP/1 connection has
