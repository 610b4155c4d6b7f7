"""Why a tracking server cannot be shown: asked before the tile says that it is ready, and later.

An error that is not in the table is quoted in the words of the library.
"""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from mlflow_proxy.addresses import PASSWORD, TOKEN, USERNAME
from mlflow_proxy.headers import REDIRECTS
from mlflow_proxy.printable import quoted
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import Known, StartError

from .client import BUNDLES, CLIENT_CERTIFICATE, SERVER_CERTIFICATE, Client
from .credentials import THREE_LINES

ANSWER_TIMEOUT = 8.0  # seconds for an answer that a person waits for, with its body
MAX_PAGE = 1 << 20  # bytes of a page of MLflow's, which is read whole; it has a few thousand
API = b"/api/2.0/mlflow/experiments/search"
UNPERMITTED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
VERSION_NUMBER = re.compile(rb"\s*(\d+\.\d+[\w.+-]{,40})\s*")
# The dashboard's scripts, or the text of a server without a dashboard.
DASHBOARD = re.compile(rb"static-files/|Unable to display MLflow UI")

ADDRESS = "the server's address (MLFLOW_TRACKING_URI, or c.MLflowProxy.backend_store_uri)"
REACH = (
    f"Check that it is running and reachable from this machine, or correct {ADDRESS}: its name, "
    "its port, and http:// or https://. Restart Jupyter after a correction."
)
SET = "in Jupyter's environment, so that notebooks have it too, and restart Jupyter."
LOGIN = f"If it is a login, set {TOKEN} {SET}"
AUTHENTICATE = (
    f"Set {TOKEN}, or {USERNAME} and {PASSWORD}, {SET} "
    f"Or try again with the last two in a file. {THREE_LINES}"
)

# Patterns of an answer in the dashboard's place, as `Answer.__str__` writes it, then of an error.
CAUSES = (
    Known(
        r"^HTTP 30\d to (?P<target>[^?#]+?)/?(?:[?#]|$)",
        "The server {server} redirects to {target}.",
        f"If MLflow is there, correct {ADDRESS}, and restart Jupyter. {LOGIN}",
    ),
    Known(
        r"^HTTP 400: .*(?P<said>plain HTTP request was sent to HTTPS port|SSL certificate [\w ]+)",
        "The server {server} refuses the connection: {said}.",  # nginx
        f"Correct http:// or https:// in {ADDRESS}, or set {CLIENT_CERTIFICATE} {SET}",
    ),
    Known(r"^HTTP 401", "The server {server} does not accept {credentials}.", AUTHENTICATE),
    Known(
        r"^HTTP 403: .*Invalid Host header",
        "The MLflow server does not know that it is reached as {host}.",
        "Ask its administrator to start it with --allowed-hosts {host}.",
    ),
    Known(
        r"^HTTP 403",
        "The server {server} does not permit {credentials} to see its experiments.",
        f"Ask its administrator for the permission. {AUTHENTICATE}",
    ),
    Known(
        r"^HTTP (?P<status>5\d\d)",
        "The server {server} answers with the error {status}.",
        "Try again a little later, or ask its administrator.",
    ),
    Known(
        r"^HTTP",  # any other page
        "There is no dashboard of MLflow at {server}: another page answers there.",
        f"Correct {ADDRESS}: it ends where the dashboard's address has its #. If the server was "
        "started with --static-prefix and clients have another address, set both: "
        "MLFLOW_TRACKING_URI to that of clients, and c.MLflowProxy.backend_store_uri to the "
        f"dashboard's. Restart Jupyter after a correction. {LOGIN}",
    ),
    Known(
        r"ProxyConnectionError|HttpProxyError",
        "The proxy on the way to {server} does not let the connection through.",
        "Correct HTTP_PROXY and HTTPS_PROXY, or add the server to NO_PROXY, in Jupyter's "
        "environment, and restart Jupyter.",
    ),
    Known(
        r"CERTIFICATE_VERIFY_FAILED.*verify failed: (?P<said>[^(]*[\w'])",
        "The server's certificate of {server} cannot be trusted: {said}.",
        f"Set {SERVER_CERTIFICATE} (or {BUNDLES[0]}) to a PEM file with the "
        f"certificate of the authority that has signed it, {SET} If it has expired, its "
        f"administrator must renew it. If it is for another name, correct {ADDRESS}, and restart "
        "Jupyter.",
    ),
    Known(
        r"Connection refused|Connect call failed",
        "The server {server} refuses the connection.",
        REACH,
    ),
    Known(
        r"(?i:timeout|timed out)|unreachable|No route to host",
        "The server {server} does not answer in time.",
        REACH,
    ),
)


@dataclass(frozen=True)
class Answer:
    """What a request for `url` was answered with."""

    url: URL
    status: int
    location: str | None
    """Where a redirect leads."""
    body: bytes = b""
    """Only its beginning if it has `MAX_PAGE` bytes or more."""

    @classmethod
    async def read(cls, url: URL, response: aiohttp.ClientResponse, size: int) -> "Answer":
        """Read at least `size` bytes of the body, or all of it."""
        location = response.headers.get("Location") if response.status in REDIRECTS else None
        body = b""
        while len(body) < size and (chunk := await response.content.readany()):
            body += chunk
        return cls(url, response.status, location, body)

    def __str__(self) -> str:
        """What the table's patterns are matched with."""
        if self.location is not None:
            return f"HTTP {self.status} to {urljoin(str(self.url), self.location)}"
        return f"HTTP {self.status}: {self.body.decode('utf-8', 'replace')}"

    @property
    def is_dashboard(self) -> bool:
        is_page = self.status == HTTPStatus.OK and len(self.body) < MAX_PAGE
        return is_page and DASHBOARD.search(self.body) is not None


async def check(client: Client) -> str:
    """Check that the server is an MLflow that takes our credentials.

    Returns its version; empty if it is not known.

    Raises:
        StartError: it is not, or cannot be reached.
    """
    address = client.address
    targets = address.target(API, b"max_results=1"), address.target(b"/version"), address.url
    async with client.connected():
        try:
            # Plugins import MLflow, which takes seconds, of which the server knows nothing.
            await client.authorizer.authorize("GET", str(address.url), [])
        except Exception as error:  # of a plugin's own kind
            raise explain(client, [error]) from error
        asked = (asyncio.wait_for(_ask(client, each), ANSWER_TIMEOUT) for each in targets)
        said = await asyncio.gather(*asked, return_exceptions=True)
    if errors := [each for each in said if isinstance(each, BaseException)]:
        raise explain(client, errors) from errors[0]
    answers = [each for each in said if isinstance(each, Answer)]
    _, version, page = answers
    # A server whose database is down is shown as well.
    refusals = [each for each in answers if each.location or each.status in UNPERMITTED]
    if refusals or not page.is_dashboard:
        raise explain(client, [*refusals, page])
    number = VERSION_NUMBER.fullmatch(version.body)
    return number[1].decode() if number and version.status == HTTPStatus.OK else ""


async def _ask(client: Client, url: URL) -> Answer:
    response = await client.send("GET", url, [(b"accept", b"*/*")])
    with contextlib.closing(response):
        return await Answer.read(url, response, MAX_PAGE)


def explain(client: Client, said: Sequence[Answer | BaseException]) -> StartError:
    """Explain why the server cannot be used; of several answers or errors, some say more."""
    address, texts = client.address, []
    for each in said:
        if isinstance(each, Answer):
            texts.append(str(each))
            continue
        for error in failures.chain(each):
            if isinstance(error, StartError):
                return error
            if isinstance(error, ImportError):  # a package that a plugin needs
                return failures.explain(error, str(address))
            texts.append(f"{type(error).__name__}: {error}")
    values = {"server": str(address), "host": address.host, "credentials": client.authorizer.sent}
    if found := failures.match(CAUSES, texts, values):
        return StartError(found.reason, found.remedy)
    return StartError(
        f"The server {address} cannot be used: {quoted(failures.first_line(said[0]))}",
        f"{REACH} If it wants a certificate of the client, set {CLIENT_CERTIFICATE} "
        f"to a PEM file with that certificate and its key, {SET}",
    )
