"""What Jupyter answers in MLflow's place: a page to a person, 503 to a program, static files.

MLflow itself sends its static files uncompressed.
"""

import gzip
import html
import json
import math
import mimetypes
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any

from mlflow_proxy import addresses
from mlflow_proxy.assets import icon, lab_theme, tab_icons
from mlflow_proxy.headers import COMPRESSIBLE, MIN_COMPRESSED
from mlflow_proxy.status import LAST_RETRY_INTERVAL, State, Status

from .decide import Request

FOLDER = Path(__file__).parent / "page"
PAGE_FILES = ("page.html", "page.css", "page.js", "texts.js", "theme.js")
FILES = {name: (FOLDER / name).read_text(encoding="utf-8") for name in PAGE_FILES}
ICON, ICONS = icon().read_text(encoding="utf-8"), tab_icons()
THEME = lab_theme() + FILES["theme.js"]
POLICY = (
    "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; connect-src 'self'; "
    "img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'"
)
# What the page's script requests, relative to the dashboard.
PAGE_ADDRESSES = {
    "status": addresses.below(addresses.STATUS),
    "start": addresses.below(addresses.CONTROL_START),
    "upgrade": addresses.below(addresses.CONTROL_UPGRADE),
    "dashboard": addresses.below(addresses.DASHBOARD_FRAME),
}
# Seconds for `Retry-After`. MLflow's client tries eight times and waits this long in between: about
# the rest of the start, because a second each would be too little on a slow machine.
MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1, 30
# A client that comes back after each of several crashes in a row would use up its eight tries.
RETRY_AFTER_CRASHES = 30
# From 3.18, MLflow's client does not repeat a request that may create something after a 503. After
# 429 all its releases do, because 429 means that nothing was done.
MLFLOWS_CLIENT, NOTHING_DONE = "mlflow-python-client/", HTTPStatus.TOO_MANY_REQUESTS

# 4 MB take 0.1 s of a thread, once for each browser, which keeps them for four weeks. Level 9 takes
# half as long again for 0.5 % less.
GZIP_LEVEL = 6
ACCEPTS_GZIP = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))(?:,|;|$)", re.IGNORECASE
)

NO_STORE = ("Cache-Control", "no-store")


@dataclass(frozen=True)
class Answer:
    status: HTTPStatus
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


NOT_FOUND = Answer(HTTPStatus.NOT_FOUND, b"Not found")


def unavailable(request: Request, status: Status) -> Answer:
    """Tell a program to come back later."""
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    remaining = math.ceil(status.progress.remaining) if status.state is State.STARTING else 0
    seconds = min(max(remaining, MIN_RETRY_AFTER), MAX_RETRY_AFTER)
    if failure := status.failure:
        message = f"{failure.reason} {failure.remedy}"
        if request.waits:  # it has waited; after a 503 MLflow's client would try on for minutes
            http_status = HTTPStatus.FAILED_DEPENDENCY
        # The next request then starts MLflow again.
        seconds = math.ceil(min(status.retries.seconds, LAST_RETRY_INTERVAL)) or MIN_RETRY_AFTER
    elif status.state is State.IDLE:
        why = "by the user" if status.is_stopped_by_user else "because it was not used"
        message = f"MLflow is stopped {why}." if status.has_started else "MLflow was not started."
    else:
        message = "MLflow is starting."
        if failure := status.retried:
            message += f" The last start failed. {failure.reason} {failure.remedy}"
        if status.state is State.STARTING and status.crashes > 1:
            seconds = RETRY_AFTER_CRASHES
        if request.method == "POST" and MLFLOWS_CLIENT in request.headers.get("User-Agent", ""):
            http_status = NOTHING_DONE
    return error_answer(http_status, message, ("Retry-After", str(seconds)))


def error_answer(status: HTTPStatus, message: str, *headers: tuple[str, str]) -> Answer:
    """Tell a program why its request has failed."""
    body = json.dumps({"error_code": "TEMPORARILY_UNAVAILABLE", "message": message})
    own = (("Content-Type", "application/json"), NO_STORE, ("X-Content-Type-Options", "nosniff"))
    return Answer(status, body.encode(), (*own, *headers))


def loading_page(request: Request, status: Status, document: Mapping[str, Any]) -> Answer:
    """Show a person the progress of the start, or why it failed.

    `document` is the status document, which the page's script requests again and again.
    """
    nonce = os.urandom(16).hex()
    failure = status.failure
    text = Template(FILES["page.html"]).substitute(
        nonce=nonce,
        title="MLflow could not start" if failure else "MLflow",
        favicon=html.escape(ICONS["failed" if failure else "plain"]),
        icons=_for_script(ICONS),
        theme=THEME,
        theme_key=addresses.THEME_KEY,
        assistant_key=addresses.ASSISTANT_KEY,
        style=FILES["page.css"],
        script=FILES["texts.js"] + FILES["page.js"],
        icon=ICON,
        state=status.state.value,
        reason=html.escape(failure.reason if failure else ""),
        remedy=html.escape(failure.remedy if failure else ""),
        log_file=html.escape(document["log"]),
        addresses=_for_script(_addresses(request)),
        report=_for_script(document),
    )
    return _page(text.encode(), POLICY.format(nonce))


def dashboard_frame(folder: Path) -> Answer:
    """The dashboard's page, of which the loading page loads only the scripts."""
    page = folder / "index.html"
    if not page.is_file():  # MLflow was installed from its source
        return NOT_FOUND
    # The hidden frame shows no stored content, and MLflow 3.10's scripts need `eval` to load.
    answer = _page(page.read_bytes(), "script-src 'self' 'unsafe-eval'; base-uri 'none'")
    # By its address it is recognized that a request is of this page.
    return replace(answer, headers=(*answer.headers, ("Referrer-Policy", "same-origin")))


def _page(body: bytes, policy: str) -> Answer:
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        NO_STORE,
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
    )
    return Answer(HTTPStatus.OK, body, headers)


def _addresses(request: Request) -> dict[str, str]:
    """`PAGE_ADDRESSES` relative to the page, which may be at any depth of any base URL."""
    base = "../" * (request.path.count("/") - 1)
    result = {name: base + path for name, path in PAGE_ADDRESSES.items()}
    if request.path != "/":  # a notebook may show many frames, which need no dashboard in advance
        del result["dashboard"]
    return result


def _for_script(value: Any) -> str:
    """JSON for a `<script>` element, which only a `<` could end."""
    return json.dumps(value).replace("<", "\\u003c")


def static_file(folder: Path, path: str, headers: Mapping[str, str]) -> Answer:
    """The file in `folder` for a request of the exact form `STATIC_FILE`, with its `headers`.

    Blocks for a fraction of a second for a file of several megabytes.
    """
    file = folder / path.removeprefix(f"{addresses.STATIC_FILES}/")
    if not os.path.isfile(file):  # unlike Path's, False also if the name is too long
        return NOT_FOUND
    status = file.stat()
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    etag = f'W/"{status.st_mtime_ns:x}-{status.st_size:x}"'
    sent = [
        # MLflow's own value: file names hold a hash of the content.
        ("Cache-Control", "public, max-age=2419200"),
        ("Content-Type", media_type),
        ("ETag", etag),
        ("Vary", "Accept-Encoding"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if headers.get("If-None-Match") == etag:
        return Answer(HTTPStatus.NOT_MODIFIED, b"", tuple(sent))
    body = file.read_bytes()
    shrinks = file.suffix in COMPRESSIBLE and status.st_size >= MIN_COMPRESSED
    if shrinks and ACCEPTS_GZIP.search(headers.get("Accept-Encoding", "")):
        sent.append(("Content-Encoding", "gzip"))
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Answer(HTTPStatus.OK, body, tuple(sent))
