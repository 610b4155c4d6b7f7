"""Sends requests to one tracking server, with the user's credentials."""

from collections.abc import Iterable

import aiohttp
from yarl import URL

from mlflow_proxy.headers import MAX_DISCARDED, Headers, as_utf8

from .body import MAX_WHOLE, RequestBody
from .boundary import ServerAddress, request_headers
from .connection import outbound_proxy, tls_context
from .credentials import Authorizer

CONNECT_TIMEOUT = 5.0  # seconds, for the connection and its TLS
# Servers close a connection that was not used for a while: gunicorn after 2 s, uvicorn after 5 s. A
# `POST` that meets that moment would be lost, because it must not be repeated.
KEEPALIVE = 1.5  # seconds
READ_BUFFER = 256 << 10  # bytes
MAX_HEADER = 64 << 10  # bytes of one header of a response
UNAUTHENTICATED = 401
AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # aiohttp's, not wanted


class BodyTooLargeError(Exception):
    """A signature needs the whole body, which has more than `MAX_DISCARDED` bytes or no length."""


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
        body: RequestBody | None = None,
    ) -> aiohttp.ClientResponse:
        """Send a request to `url`, one of `ServerAddress.target`; returns the head of the answer.

        After a 401 the credentials are read again and the request is repeated, if its body allows.

        Raises:
            aiohttp.ClientError, OSError: the server cannot be reached, or breaks off.
            BodyTooLargeError: the request cannot be signed.
            DisconnectedError: the client has disconnected.
            StartError: the credentials cannot be used.
        """
        passing = [(name, as_utf8(value)) for name, value in request_headers(headers)]
        if not any(name == "accept-encoding" for name, _ in passing):
            passing.append(("accept-encoding", "identity"))
        limit = MAX_DISCARDED if self.authorizer.signs_body else MAX_WHOLE
        whole = b"" if body is None else await body.whole(limit)
        if whole is None and self.authorizer.signs_body:
            raise BodyTooLargeError
        authorized = await self.authorizer.authorize(method, str(url), passing, whole or b"")
        answer = await self._request(method, url, authorized, body if whole is None else whole)
        if answer.status != UNAUTHENTICATED or whole is None:
            return answer
        again = await self.authorizer.authorize(method, str(url), passing, whole)
        if again == authorized:
            return answer
        answer.close()
        return await self._request(method, url, again, whole)

    async def _request(
        self, method: str, url: URL, headers: Headers, data: bytes | RequestBody | None
    ) -> aiohttp.ClientResponse:
        if isinstance(data, RequestBody) and data.length is not None:
            headers = [*headers, ("content-length", str(data.length))]
        return await self._session.request(
            method,
            url,
            headers=headers,
            data=data or None,
            allow_redirects=False,
            proxy=self._proxy and self._proxy.url,
            proxy_auth=self._proxy and self._proxy.auth,
        )
