"""Why a tracking server cannot be shown: asked before the tile says that it is ready, and later.

An error that is not in the tables is shown in the words of the server or of the library.
"""

import asyncio
import itertools
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from yarl import URL

from mlflow_proxy.headers import REDIRECTS
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import Known, StartError

from . import connection, credentials
from .boundary import resolve
from .client import Client

ANSWER_TIMEOUT = 8.0  # seconds for an answer of a few bytes
MAX_READ = 256 << 10  # bytes of an answer that are looked at
API = b"/api/2.0/mlflow/experiments/search"
# Older servers have another dashboard, other paths of its files, and no search for experiments.
OLDEST = (2, 0)
VERSION_NUMBER = re.compile(r"\s*(\d+)\.(\d+)[\w.+-]*\s*")
SEARCH = re.compile(r'\s*\{\s*(?:\}|"(?:experiments|next_page_token)")')
# The dashboard's scripts, or the text of a server without a dashboard.
DASHBOARD = re.compile(r"static-files/|Unable to display MLflow UI")
LOGIN = (
    r"(?i:type=[\"']?password|SAMLRequest=|(?:log|sign) in (?:with|to|using)\b"
    r"|[/\"'](?:log[_-]?in|sign[_-]?in|sso|saml2?|oauth2?|oidc|openid)\b)"
)

ADDRESS = "the server's address (MLFLOW_TRACKING_URI, or c.MLflowProxy.backend_store_uri)"
REACH = (
    f"Check that it is running and reachable from this machine, or correct {ADDRESS}: its name, "
    "its port, and http:// or https://."
)
SET = "in Jupyter's environment, so that notebooks have it too, and restart Jupyter."
AUTHENTICATE = (
    f"Set {credentials.TOKEN}, or {credentials.USERNAME} and {credentials.PASSWORD}, {SET} "
    f"Or write the last two into {credentials.FILE} (three lines: [mlflow], "
    f"{credentials.USERNAME.lower()} = …, {credentials.PASSWORD.lower()} = …) and try again."
)

WANTS_CERTIFICATE = Known(
    r"^https: .*(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|ALERT_UNKNOWN_CA)"
    r"|^HTTP 400: .*SSL certificate (?:was sent|error)",  # nginx
    "The server at {server} wants a certificate of the client that it trusts.",
    f"Set {connection.CLIENT_CERTIFICATE} to a PEM file with that certificate and its key, {SET}",
)
OTHER_PROTOCOL = Known(
    r"^https: .*(?:WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST|UNEXPECTED_MESSAGE)"
    r"|^https?: (?:BadStatusLine|BadHttpMessage|ClientResponseError|LineTooLong)"
    r"|^HTTP 400: .*plain HTTP request was sent to HTTPS port",  # nginx
    "What answers at {server} does not speak {protocol}.",
    REACH,
)
WANTS_LOGIN = Known(
    rf"^HTTP (?:403|30\d).*{LOGIN}",
    "The server {server} wants a login in the browser.",
    "Open it there: {server}/ . Notebooks and this page can use it only if it takes a token as "
    f"well: set {credentials.TOKEN} {SET}",
)
# Patterns of an error, as `explain` writes it.
UNREACHABLE = (
    Known(
        r"ProxyConnectionError|HttpProxyError",
        "The proxy on the way to {server} does not let the connection through.",
        "Correct HTTP_PROXY and HTTPS_PROXY, or add the server to NO_PROXY, in Jupyter's "
        "environment, and restart Jupyter.",
    ),
    Known(
        r"CERTIFICATE_VERIFY_FAILED.*verify failed: (?P<said>[^(]*[\w'])",
        "The server's certificate of {server} cannot be trusted: {said}.",
        f"Set {connection.SERVER_CERTIFICATE} (or {connection.BUNDLES[0]}) to a PEM file with the "
        f"certificate of the authority that has signed it, {SET} If it has expired, its "
        f"administrator must renew it. If it is for another name, correct {ADDRESS}.",
    ),
    WANTS_CERTIFICATE,
    OTHER_PROTOCOL,
    Known(
        r"DNSError|gaierror",
        "The name of the server {server} is unknown.",
        REACH,
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
# Patterns of an answer that is a refusal, as `Answer.__str__` writes it.
REFUSED = (
    WANTS_LOGIN,
    Known(
        r"^HTTP 30\d to (?P<target>[^?#]+?)/?(?:[?#]|$)",
        "The server {server} redirects to {target}.",
        f"If MLflow is there, correct {ADDRESS}. If it is a login, set {credentials.TOKEN} {SET}",
    ),
    WANTS_CERTIFICATE,
    OTHER_PROTOCOL,
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
)
# Patterns of an answer in the dashboard's place.
NO_DASHBOARD = (
    Known(LOGIN, WANTS_LOGIN.reason, WANTS_LOGIN.remedy),
    Known(
        r"^HTTP (?P<status>5\d\d)",
        "The server {server} answers with the error {status}.",
        "Try again a little later, or ask its administrator.",
    ),
    Known(
        r"",
        "There is no MLflow at {server}: another program answers there.",
        f"Correct {ADDRESS}. It ends where the dashboard's address has its #.",
    ),
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a request for `url` was answered with."""

    url: URL
    status: int
    location: str
    text: str

    def __str__(self) -> str:
        """What the tables' patterns are matched with."""
        if self.location:
            return f"HTTP {self.status} to {resolve(self.url, self.location)}"
        return f"HTTP {self.status}: {self.text}"

    @property
    def is_dashboard(self) -> bool:
        """Whether this is the dashboard's page."""
        return self.status == HTTPStatus.OK and DASHBOARD.search(self.text) is not None

    @property
    def is_search(self) -> bool:
        """Whether this is the answer to a search for experiments."""
        return self.status == HTTPStatus.OK and SEARCH.match(self.text) is not None


async def check(client: Client) -> str:
    """Check that the server is an MLflow that takes our credentials.

    Returns its version; empty if it is not known.

    Raises:
        StartError: it is not, or cannot be reached.
    """
    address = client.address
    await client.open()
    try:
        targets = address.target(b"/version"), address.target(API, b"max_results=1"), address.url
        asked = (asyncio.wait_for(_ask(client, each), ANSWER_TIMEOUT) for each in targets)
        answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await client.close()
    if errors := [each for each in answers if isinstance(each, BaseException)]:
        raise explain(client, errors) from errors[0]
    return _version(client, *(each for each in answers if isinstance(each, Answer)))


async def _ask(client: Client, url: URL) -> Answer:
    answer = await client.send("GET", url, [(b"accept", b"*/*")])
    try:
        text = b""
        while len(text) < MAX_READ and (chunk := await answer.content.readany()):
            text += chunk
    finally:
        answer.close()
    return Answer(url, answer.status, location_of(answer) or "", text.decode("utf-8", "replace"))


def location_of(answer: aiohttp.ClientResponse) -> str | None:
    """Where a redirect leads."""
    return answer.headers.get("Location") if answer.status in REDIRECTS else None


def _version(client: Client, version: Answer, api: Answer, page: Answer) -> str:
    """Judge the answers, the cause before its consequences; returns MLflow's version, if known."""
    address = client.address
    if refused := known(client, REFUSED, [api, version, page]):
        raise refused
    has_version = version.status == HTTPStatus.OK
    number = VERSION_NUMBER.fullmatch(version.text) if has_version else None
    release = number[0].strip() if number else ""
    is_old = (int(number[1]), int(number[2])) < OLDEST if number else not api.is_search
    if is_old and (number or page.is_dashboard):
        raise StartError(
            f"The server {address} has MLflow {release or 'without a version'}, which is too old "
            "to be shown here.",
            f"Ask its administrator for MLflow {'.'.join(map(str, OLDEST))} or newer. Until then "
            f"open it in the browser: {address}/",
        )
    if api.is_search and not page.is_dashboard and page.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise StartError(
            f"MLflow answers at {address}, but its dashboard is not there.",
            "If the server was started with --static-prefix, set c.MLflowProxy.backend_store_uri "
            "to its dashboard's address, up to the #, and leave MLFLOW_TRACKING_URI as it is.",
        )
    if not page.is_dashboard and (other := known(client, NO_DASHBOARD, [api, page])):
        raise other
    # A server whose database is down is shown as well.
    if api.status == HTTPStatus.NOT_FOUND:  # MLflow <3.12, with --static-prefix
        _logger.warning("%s is the dashboard's address; MLflow's clients need another", address)
    return release


def not_dashboard(client: Client, page: Answer) -> StartError | None:
    """Why `page` is not the dashboard, if it is not."""
    if refused := known(client, REFUSED, [page]):
        return refused
    return None if page.is_dashboard else known(client, NO_DASHBOARD, [page])


def explain(client: Client, errors: Sequence[BaseException]) -> StartError:
    """Explain why the server cannot be used; of several `errors` with one cause, some say more."""
    address, texts = client.address, []
    for each in itertools.chain(*map(failures.chain, errors)):
        if isinstance(each, StartError):
            return each
        if isinstance(each, ImportError):  # a package that a plugin needs
            return failures.explain(each, str(address))
        texts.append(f"{address.scheme}: {type(each).__name__}: {each}")
    if explained := known(client, UNREACHABLE, texts):
        return explained
    first_line = str(errors[0]).strip().partition("\n")[0] or type(errors[0]).__name__
    return StartError(
        f"The server {address} cannot be used: {first_line}",
        f"{REACH} If it wants a certificate of the client, set {connection.CLIENT_CERTIFICATE} "
        f"to a PEM file with that certificate and its key, {SET}",
    )


def known(client: Client, table: Iterable[Known], said: Iterable[object]) -> StartError | None:
    """The first failure of `table` of which `said` speaks: answers, or texts."""
    address, sent = client.address, client.authorizer.sent
    protocol = "TLS" if address.scheme == "https" else "HTTP"
    values = {"server": str(address), "host": address.host, "protocol": protocol}
    found = failures.match(table, map(str, said), {**values, "credentials": sent})
    return StartError(found.reason, found.remedy) if found else None
