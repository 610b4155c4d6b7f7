"""Whether a tracking server can be shown: asked before the tile says that it is ready."""

import asyncio
import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from yarl import URL

from mlflow_proxy.headers import REDIRECTS
from mlflow_proxy.server.errors import StartError

from . import failures
from .address import ServerAddress, resolve
from .client import Client

ANSWER_TIMEOUT = 8.0  # seconds for an answer of a few bytes
MAX_READ = 256 << 10  # bytes of an answer that are looked at
VERSION, PAGE = b"/version", b"/"
# A proxy before the server says that it is down.
OF_A_PROXY = (
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
API = b"/api/2.0/mlflow/experiments/search"
# Older servers have another dashboard, other paths of its files, and no search for experiments.
OLDEST = (2, 0)
VERSION_NUMBER = re.compile(r"\s*(\d+)\.(\d+)[\w.+-]*\s*")
# The dashboard's scripts, or the text of a server without a dashboard.
DASHBOARD = re.compile(r"static-files/|Unable to display MLflow UI")

LOGIN = re.compile(
    r"type=[\"']?password|<form[^>]+(?:log|sign)-?_?in|oauth2/(?:start|authorize)|\bSAMLRequest="
    r"|https?://[^\s\"']*(?:[/.]|\b)(?:login|log-in|signin|sign-in|sso|saml2?|oauth2?|oidc|openid)\b"
    r"|(?:log|sign) in (?:with|to|using)\b",
    re.IGNORECASE,
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a path was answered with."""

    url: URL
    status: int
    media_type: str
    location: str
    text: str


async def check(client: Client) -> str:
    """Check that the server is an MLflow that takes our credentials.

    Returns its version; empty if it is not known.

    Raises:
        StartError: it is not, or cannot be reached.
    """
    address = client.address
    await client.open()
    try:
        asked = (_ask(client, VERSION), _ask(client, API, b"max_results=1"), _ask(client, PAGE))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        await client.close()
    if errors := [each for each in answers if isinstance(each, BaseException)]:
        raise failures.explain(errors, address) from errors[0]
    version, api, page = (each for each in answers if isinstance(each, Answer))
    for problem in _problems(address, version, api, page):
        raise problem
    number = _version_number(version)
    return number[0].strip() if number else ""


async def _ask(client: Client, path: bytes, query: bytes = b"") -> Answer:
    url = client.address.target(path, query)
    return await asyncio.wait_for(_read(client, url), ANSWER_TIMEOUT)


async def _read(client: Client, url: URL) -> Answer:
    answer = await client.send("GET", url, [(b"accept", b"*/*")])
    try:
        text = b""
        while len(text) < MAX_READ and (chunk := await answer.content.readany()):
            text += chunk
    finally:
        answer.close()
    location = answer.headers.get("Location", "") if answer.status in REDIRECTS else ""
    media_type = answer.content_type
    return Answer(url, answer.status, media_type, location, text.decode("utf-8", "replace"))


def _version_number(version: Answer) -> re.Match[str] | None:
    return VERSION_NUMBER.fullmatch(version.text) if version.status == HTTPStatus.OK else None


def _problems(
    address: ServerAddress, version: Answer, api: Answer, page: Answer
) -> Iterable[StartError]:
    """What is wrong, the cause before its consequences."""
    for answer in (api, version, page):
        yield from _problems_of(address, answer)
    number = _version_number(version)
    if number and (int(number[1]), int(number[2])) < OLDEST:
        yield failures.too_old(address, number[0].strip(), ".".join(map(str, OLDEST)))
    has_dashboard = DASHBOARD.search(page.text) is not None
    # A server whose database is down still has both.
    if has_dashboard and (is_search(api) or number):
        if api.status == HTTPStatus.NOT_FOUND:  # MLflow before 3.12, with --static-prefix
            _logger.warning("%s is the dashboard's address; MLflow's clients need another", address)
        return
    if is_search(api) and page.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        yield failures.no_dashboard(address)
    if not number and has_dashboard and "mlflow" in page.text.lower():
        yield failures.too_old(address, "without a version", ".".join(map(str, OLDEST)))
    if has_login(page.text) or has_login(api.text):
        yield failures.wants_login(address)
    for answer in (api, page):
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            yield failures.unhealthy(address, answer.status)
    yield failures.no_mlflow(address)


def is_search(answer: Answer) -> bool:
    """Whether this is the answer to a search for experiments."""
    try:
        fields = json.loads(answer.text)
    except ValueError:
        return False
    is_object = answer.status == HTTPStatus.OK and isinstance(fields, dict)
    return is_object and fields.keys() <= {"experiments", "next_page_token"}


def _problems_of(address: ServerAddress, answer: Answer) -> Iterable[StartError]:
    if answer.location:
        target = resolve(answer.url, answer.location)
        if has_login(target):
            yield failures.wants_login(address)
        is_page = answer.url.raw_path == address.url.raw_path
        if not is_page or address.location(answer.url, answer.location) is None:
            yield failures.redirected(address, target)
    if known := refusal(address, answer.status, answer.text):
        yield known


def refusal(address: ServerAddress, status: int, text: str) -> StartError | None:
    """Why a server that answers with `status` and `text` lets nothing through."""
    if status == HTTPStatus.UNAUTHORIZED:
        return failures.unauthenticated(address)
    if status == HTTPStatus.FORBIDDEN:
        return (
            failures.wants_login(address) if has_login(text) else failures.forbidden(address, text)
        )
    if status == HTTPStatus.BAD_REQUEST:
        return failures.said([text], address)  # of nginx: a certificate, https
    if status in OF_A_PROXY:
        return failures.unhealthy(address, status)
    return None


def has_login(text: str) -> bool:
    """Whether `text`, a page or an address, is that of a login."""
    return LOGIN.search(text) is not None
