"""Sends requests to one tracking server, with the user's credentials."""

from collections.abc import AsyncIterator, Iterable

import aiohttp
from starlette.requests import Request
from yarl import URL

from mlflow_proxy.headers import as_utf8

from .boundary import RequestError, ServerAddress, request_headers
from .connection import outbound_proxy, tls_context
from .credentials import Authorizer

CONNECT_TIMEOUT = 5.0  # seconds, for the connection and its TLS
# Servers close a connection that was not used for a while: gunicorn after 2 s, uvicorn after 5 s. A
# `POST` that meets that moment would be lost, because it must not be repeated.
KEEPALIVE = 1.5  # seconds
READ_BUFFER = 256 << 10  # bytes
MAX_HEADER = 64 << 10  # bytes of one header of a response
MAX_SIGNED = 16 << 20  # bytes of a body that is kept in memory, because a signature needs it
AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # aiohttp's, not wanted


class StreamedBody:
    """The body of a request, which can be read once; `length` is None if it is not known."""

    def __init__(self, request: Request, length: int | None) -> None:
        self.length = length
        self._request = request
        self._is_read = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks.

        Raises:
            ConnectionError: on the second call. aiohttp repeats a `PUT` whose connection broke, and
                would send only the rest of the body.
        """
        if self._is_read:
            raise ConnectionError("The connection broke, and the body cannot be sent again")
        self._is_read = True
        return self._request.stream()


class Client:
    """A pool of connections to the tracking server; every request goes below its address."""

    def __init__(self, address: ServerAddress) -> None:
        """Read the variables for the connection.

        Raises:
            StartError: one of them has a value that cannot be used.
        """
        self.address = address
        self.authorizer = Authorizer(address)
        self._tls = tls_context() if address.scheme == "https" else True
        self._proxy = outbound_proxy(address)

    async def open(self) -> None:
        """Create the pool; it belongs to the running event loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls,
                limit=0,
                keepalive_timeout=KEEPALIVE,
                # The system's, as MLflow's client has it; aiohttp prefers aiodns where that is.
                resolver=aiohttp.ThreadedResolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT),
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            skip_auto_headers=AUTOMATIC,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(
        self,
        method: str,
        url: URL,
        headers: Iterable[tuple[bytes, bytes]] = (),
        request: Request | None = None,
    ) -> aiohttp.ClientResponse:
        """Send to `url`, one of `ServerAddress.target`, the body of `request`, if there is one.

        Returns the head of the answer.

        Raises:
            aiohttp.ClientError, OSError: the server cannot be reached, or breaks off.
            RequestError: the request cannot be signed.
            starlette.requests.ClientDisconnect: the client has disconnected.
            StartError: the credentials cannot be used.
        """
        passing = [(name, as_utf8(value)) for name, value in request_headers(headers)]
        if not any(name == "accept-encoding" for name, _ in passing):
            passing.append(("accept-encoding", "identity"))
        body = b"" if request is None else await self._body(request)
        known = body if isinstance(body, bytes) else b""
        sent = await self.authorizer.authorize(method, str(url), passing, known)
        if isinstance(body, StreamedBody) and body.length is not None:
            sent = [*sent, ("content-length", str(body.length))]
        return await self._session.request(
            method,
            url,
            headers=sent,
            data=body or None,
            allow_redirects=False,
            proxy=self._proxy,
        )

    async def _body(self, request: Request) -> bytes | StreamedBody:
        """The body of `request`: whole if it is signed, else a stream."""
        # With both in one request, the length does not count (RFC 9112, 6.3).
        is_chunked = "transfer-encoding" in request.headers
        length = None if is_chunked else int(request.headers.get("content-length") or 0)
        if length == 0:
            return b""
        if self.authorizer.reads_body and length is not None and length <= MAX_SIGNED:
            return await request.body()
        if self.authorizer.is_aws:
            raise RequestError("The request must be signed, for which its body is too large.")
        return StreamedBody(request, length)
