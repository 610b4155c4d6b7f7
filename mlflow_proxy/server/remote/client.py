"""Sends requests to one tracking server, by the way and as the user that MLflow's client takes."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
import anyio
from starlette.requests import Request
from yarl import URL

from mlflow_proxy.headers import as_utf8
from mlflow_proxy.printable import quoted
from mlflow_proxy.server.failures import StartError

from .boundary import ServerAddress, request_headers
from .credentials import Authorizer, is_true

INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"
SERVER_CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
CLIENT_CERTIFICATE = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # of requests, in its order
CONNECT_TIMEOUT = 5.0  # seconds, for the connection and its TLS
# Twice what MLflow waits for a model. A server that never answers would else keep connections.
READ_TIMEOUT = 600.0  # seconds without a byte of the response
# Servers close a connection that was not used for a while: gunicorn after 2 s, uvicorn after 5 s. A
# `POST` that meets that moment would be lost, because it must not be repeated.
KEEPALIVE = 1.5  # seconds
READ_BUFFER = 256 << 10  # bytes
MAX_HEADER = 64 << 10  # bytes of one header of a response
AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # aiohttp's, not wanted


class Upload:
    """The body of a request, a stream that can be read once."""

    def __init__(self, request: Request) -> None:
        # With both in one request, the length does not count (RFC 9112, 6.3).
        is_chunked = "transfer-encoding" in request.headers
        self.length = None if is_chunked else int(request.headers.get("content-length") or 0)
        """In bytes; None if it is not known."""
        self._request = request
        self._is_begun = False
        self._is_complete = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks.

        Raises:
            ConnectionError: on the second call. aiohttp repeats a `PUT` whose connection broke, and
                would send only the rest of the body, which is what Starlette's stream goes on with.
        """
        if self._is_begun:
            raise ConnectionError("The connection broke, and the body cannot be sent again")
        self._is_begun = True
        async for chunk in self._request.stream():
            yield chunk
        self._is_complete.set()

    async def cancel_at_disconnect(self, scope: anyio.CancelScope) -> None:
        """Cancel `scope` when the client disconnects after the body; earlier, the stream raises."""
        if self.length != 0:
            await self._is_complete.wait()
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()


class Client:
    """A pool of connections to the tracking server; every request goes below its address."""

    def __init__(self, address: ServerAddress) -> None:
        """Read the variables for the connection.

        Raises:
            StartError: one names a file that cannot be used, or a proxy that is not an HTTP proxy.
        """
        self.address = address
        self.authorizer = Authorizer(address)
        self._tls = _tls_context() if address.scheme == "https" else True
        self._proxy = _outbound_proxy(address)

    @contextlib.asynccontextmanager
    async def connected(self, _: object = None) -> AsyncIterator[None]:
        """Keep the pool, which belongs to the running event loop; an application's lifespan."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls,
                limit=0,
                keepalive_timeout=KEEPALIVE,
                # The system's, as MLflow's client has it; aiohttp prefers aiodns where that is.
                resolver=aiohttp.ThreadedResolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT),
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            skip_auto_headers=AUTOMATIC,
        ) as self._session:
            yield

    async def send(
        self,
        method: str,
        url: URL,
        headers: Iterable[tuple[bytes, bytes]] = (),
        upload: Upload | None = None,
    ) -> aiohttp.ClientResponse:
        """Send to `url`, one of `ServerAddress.target`; returns the head of the answer.

        Raises:
            aiohttp.ClientError, OSError: the server cannot be reached, or breaks off.
            starlette.requests.ClientDisconnect: the client has disconnected.
            StartError: the credentials cannot be used.
        """
        passing = [(name, as_utf8(value)) for name, value in request_headers(headers)]
        if not any(name == "accept-encoding" for name, _ in passing):
            passing.append(("accept-encoding", "identity"))
        sent = await self.authorizer.authorize(method, str(url), passing)
        body = upload if upload and upload.length != 0 else None
        if body and body.length is not None:
            sent = [*sent, ("content-length", str(body.length))]
        return await self._session.request(
            method, url, headers=sent, data=body, allow_redirects=False, proxy=self._proxy
        )


def _tls_context() -> ssl.SSLContext:
    """The TLS context: which authorities are trusted, and the client's own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    variables = (SERVER_CERTIFICATE, *BUNDLES)
    variable = next((name for name in variables if os.environ.get(name)), "")
    try:
        # MLflow's client refuses this variable together with a certificate of the server.
        if is_true(INSECURE) and variable != SERVER_CERTIFICATE:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            import certifi

            path = os.environ.get(variable) or certifi.where()  # as MLflow's client has it
            context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
        if own := os.environ.get(CLIENT_CERTIFICATE):
            variable = CLIENT_CERTIFICATE
            context.load_cert_chain(own, password="")  # else a key with one asks at the terminal
    except OSError as error:  # an SSLError is one
        raise StartError(
            f"The file of {variable}, {quoted(os.environ.get(variable))}, cannot be used: "
            f"{error.strerror or error}.",
            f"{SERVER_CERTIFICATE} and {BUNDLES[0]} name a PEM file with certificates of the "
            f"authorities to trust, {CLIENT_CERTIFICATE} one with the client's certificate and its "
            "key, without a password.",
        ) from None
    return context


def _outbound_proxy(address: ServerAddress) -> URL | None:
    """The proxy, with its password, that requests, and so MLflow's client, uses for `address`."""
    if not getproxies().keys() - {"no"}:  # only NO_PROXY is set
        return None
    # A few megabytes, only where there is a proxy. Its rules for NO_PROXY are its own.
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

    named = select_proxy(str(address.url), get_environ_proxies(str(address.url), None))
    if not named:
        return None
    parts = urlsplit(prepend_scheme_if_needed(named, "http"))
    if parts.scheme not in ("http", "https"):
        raise StartError(
            f"The proxy for {address} is not an HTTP proxy: its scheme is {quoted(parts.scheme)}.",
            f"Set {address.scheme.upper()}_PROXY to an HTTP proxy, or add the server to NO_PROXY, "
            "in Jupyter's environment, and restart Jupyter.",
        )
    return URL(parts.geturl())
