"""Streams a request to MLflow's socket and MLflow's response back, with back-pressure.

jupyter-server-proxy's own transport buffers a whole request and a whole response in Jupyter's
memory, stops at 100 MiB and cannot send a `DELETE` with a body.
"""

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from tornado import httputil, web
from tornado.iostream import StreamClosedError

from mlflow_proxy.shared.addresses import OWN
from mlflow_proxy.shared.headers import MAX_BUFFERED, MAX_DISCARDED, Headers
from mlflow_proxy.shared.private_files import is_private_folder

from . import connections
from .forwarding import request_url
from .request_body import RequestBody, is_small

ANY_SIZE = 1 << 62  # bytes
RETRY_AFTER = 1  # seconds


@web.stream_request_body
class StreamingTransport(web.RequestHandler):
    """One request and its response; a subclass says who may send it, and what is changed.

    tornado calls `prepare`, then `data_received` with each chunk of the body, then the method's
    function, which calls `complete`. The exchange with MLflow begins with the first chunk and may
    end before the last.
    """

    on_kept_connections: tuple[str, ...] = ("GET", "HEAD")
    """Methods that use a connection again: aiohttp repeats them if MLflow closes it just then.

    It would also repeat a PUT, whose body is gone.
    """

    _refusal: web.HTTPError | None = None
    _exchange: asyncio.Task[None] | None = None
    _body: RequestBody | None = None
    _has_failed = _is_answered = False

    @property
    def prefix(self) -> str:
        """The path of the dashboard's address, without a slash at its end."""
        raise NotImplementedError

    @property
    def mlflow_socket(self) -> str:
        """Path of the socket of the supervisor and MLflow."""
        raise NotImplementedError

    async def admit(self, *args: Any, **kwargs: Any) -> None:
        """Check who asks, and start the supervisor if necessary.

        Raises:
            tornado.web.HTTPError: the request is refused.
        """
        raise NotImplementedError

    def sent_headers(self) -> Headers:
        """The request's headers for MLflow."""
        raise NotImplementedError

    def received_headers(self, answer: aiohttp.ClientResponse) -> httputil.HTTPHeaders:
        """The headers of MLflow's `answer` for the client."""
        raise NotImplementedError

    def write_refusal(self, error: web.HTTPError) -> None:
        """Write the body of the response to a request that was refused."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(error.log_message or error.reason or "")

    def record_activity(self) -> None:
        """Record that the request counts as activity, if it does."""
        raise NotImplementedError

    def warn(self, message: str, *args: object) -> None:
        """Log a warning."""
        raise NotImplementedError

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
        if not is_private_folder(Path(self.mlflow_socket).parent):
            raise web.HTTPError(HTTPStatus.BAD_GATEWAY, "MLflow's socket is not private")
        # tornado's `compress_response` would re-encode MLflow's response.
        self._transforms: list[Any] = []
        # ServerApp.max_body_size protects Jupyter's memory, which a streamed body does not fill.
        self._connection.set_max_body_size(ANY_SIZE)
        self.record_activity()

    async def data_received(self, chunk: bytes) -> None:
        """Send a chunk of the body on; tornado reads no more until this returns."""
        if self._refusal is not None:
            return
        self.record_activity()
        body = self._body
        if body is None:
            body = self._body = RequestBody()
            self._exchange = asyncio.create_task(self._run_exchange())
        await body.put(chunk)
        # A client that sends everything before it reads should get our response, up to a limit.
        if self._has_failed and body.discarded > MAX_DISCARDED:
            self._connection.close()

    async def complete(self) -> None:
        """Wait for the response; the request is complete."""
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

    async def _run_exchange(self) -> None:
        try:
            await self._request()
        except StreamClosedError:  # the client has disconnected
            pass
        except aiohttp.ClientConnectorError as error:
            await self._send_error(
                HTTPStatus.SERVICE_UNAVAILABLE, "MLflow cannot be reached", error
            )
        except Exception as error:  # of any kind: the client must not wait or take a part
            await self._send_error(HTTPStatus.BAD_GATEWAY, "MLflow closed the connection", error)
        finally:
            if self._body is not None:
                self._body.close()
            if not self._is_answered:  # tornado would end the response as if it were complete
                self._connection.close()

    async def _request(self) -> None:
        async with self._session() as session:
            answer = await session.request(
                self.request.method or "",
                request_url((self.request.uri or "")[len(self.prefix) :]),
                headers=self.sent_headers(),
                data=self._body,
                allow_redirects=False,
            )
            with contextlib.closing(answer):  # also if MLflow has not read the whole request
                await self._send_answer(answer)

    def _session(self) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
        # On a kept connection a process that ends may still answer, for the supervisor.
        is_own = self.request.path.startswith(self.prefix + OWN)
        keep = self.request.method in self.on_kept_connections and not is_own
        return connections.session_for_request(self.mlflow_socket, keep=keep)

    async def _send_answer(self, answer: aiohttp.ClientResponse) -> None:
        # MLflow's client retries after a 502, but not after an incomplete response.
        length = answer.content_length
        whole = await answer.read() if length is not None and length <= MAX_BUFFERED else b""
        self.set_status(answer.status, answer.reason)
        self._headers = self.received_headers(answer)
        self.write(whole)
        await self._flush()
        async for chunk in answer.content.iter_any():
            self.record_activity()
            self.write(chunk)
            await self._flush()
        self._is_answered = True
        self.record_activity()

    async def _flush(self) -> None:
        # jupyter-server-proxy replaces `flush` on the instance by a wrapper that returns at once.
        await web.RequestHandler.flush(self)

    async def _send_error(self, status: HTTPStatus, reason: str, error: Exception) -> None:
        """Send an error response, unless a part of the response has been sent."""
        name = type(error).__name__  # aiohttp's messages hold the headers, with Jupyter's token
        self.warn(f"{reason}: %s %s: %s", self.request.method, self.request.path, name)
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
