"""What the supervisor answers while MLflow is not ready: a page to a person, 503 to a program."""

import html
import json
import math
import os
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any

from mlflow_proxy.shared import addresses
from mlflow_proxy.shared.headers import FRAME_OPTIONS
from mlflow_proxy.shared.icon import icon, tab_icons
from mlflow_proxy.shared.lab_theme import lab_theme
from mlflow_proxy.shared.offers import Offer
from mlflow_proxy.supervisor.backoff import LAST_RETRY_INTERVAL
from mlflow_proxy.supervisor.state import State, Status

from .http import Request, Response
from .static_files import dashboard, static_file

PAGES = Path(__file__).parent / "pages"
STOPPED = "Stopped by the user."
FAILED_TITLE = "MLflow could not start"
PAGE_ADDRESSES = {
    "status": addresses.STATUS,
    "start": addresses.START,
    "repair": addresses.REPAIR,
    "decline": addresses.DECLINE,
    "dashboard": addresses.DASHBOARD_FRAME,
}
# Seconds for `Retry-After`. MLflow's client tries eight times and waits this long in between: about
# the rest of the start, because a second each would be too little on a slow machine.
MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1, 30
# A client that comes back each time that MLflow is just ready would use up its eight tries on
# crashes in a row; it should miss some of them.
RETRY_AFTER_CRASHES = 30
# From 3.18, MLflow's client does not repeat a request that may create something after a 503. After
# 429 all its releases do, because 429 means that nothing was done.
MLFLOWS_CLIENT, NOTHING_DONE = "mlflow-python-client/", HTTPStatus.TOO_MANY_REQUESTS


def without_mlflow(request: Request, status: Status) -> Response | None:
    """Answer a request that never needs MLflow: for the status or for static files."""
    if request.path == addresses.STATUS:
        return report(status)
    if status.static_folder and request.path == addresses.DASHBOARD_FRAME:
        return dashboard(status.static_folder)
    is_file = request.path.startswith(f"{addresses.STATIC_FILES}/") and not request.wants_page
    if status.static_folder and is_file:
        codings = request.headers.get("accept-encoding", "")
        return static_file(status.static_folder, request.path, codings)
    return None


def report(status: Status, http_status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with the status, as the page's script reads it."""
    return Response.json(http_status, _report(status))


def _report(status: Status) -> dict[str, Any]:
    """What the page shows; see `pages/page.js`."""
    failure = status.failure
    return {
        "state": status.state.value,
        "text": status.progress.text,
        "progress": round(status.progress.fraction, 3),
        "seconds": round(status.progress.seconds, 1),
        "reason": failure.reason if failure else "",
        "remedy": failure.remedy if failure else "",
        "stopped": STOPPED if status.is_stopped_by_user else "",
        "offer": _offer(failure.offer) if failure and failure.offer else None,
        "log": list(status.log_lines),
        "dashboard": status.static_folder is not None,
    }


def _offer(offer: Offer) -> dict[str, Any]:
    return {**asdict(offer), "repair": offer.repair.value}


def unavailable(request: Request, status: Status) -> Response:
    """Tell a program to come back later."""
    http_status, seconds = HTTPStatus.SERVICE_UNAVAILABLE, _remaining(status)
    if failure := status.failure:
        message = f"{failure.reason} {failure.remedy}"
        # The next request then starts MLflow again.
        seconds = math.ceil(min(status.retries.seconds, LAST_RETRY_INTERVAL)) or MIN_RETRY_AFTER
    elif status.state is State.IDLE:
        why = "by the user" if status.is_stopped_by_user else "because it was not used"
        message = f"MLflow is stopped {why}."
    else:
        message = "MLflow is starting."
        if failure := status.retried:
            message += f" The last start failed. {failure.reason} {failure.remedy}"
        if status.backoff.crashes > 1:
            seconds = RETRY_AFTER_CRASHES
        if request.method == "POST" and MLFLOWS_CLIENT in request.headers.get("user-agent", ""):
            http_status = NOTHING_DONE
    error = {"error_code": "TEMPORARILY_UNAVAILABLE", "message": message}
    return Response.json(http_status, error, ("Retry-After", str(seconds)))


def _remaining(status: Status) -> int:
    remaining = math.ceil(status.progress.remaining)
    return min(max(remaining, MIN_RETRY_AFTER), MAX_RETRY_AFTER)


def page(request: Request, status: Status) -> Response:
    """Show a person the progress of the start, or why it failed."""
    nonce = os.urandom(16).hex()
    shown = _report(status)
    icons = tab_icons()
    is_failed = status.state is State.FAILED
    text = Template(_read("page.html")).substitute(
        nonce=nonce,
        title=FAILED_TITLE if is_failed else "MLflow",
        favicon=html.escape(icons["failed" if is_failed else "plain"]),
        icons=_for_script(icons),
        theme=lab_theme() + _read("theme.js"),
        theme_key=addresses.THEME_KEY,
        assistant_key=addresses.ASSISTANT_KEY,
        style=_read("page.css"),
        script=_read("texts.js") + _read("page.js"),
        icon=icon().read_text(encoding="utf-8"),
        state=shown["state"],
        reason=html.escape(shown["reason"]),
        remedy=html.escape(shown["remedy"]),
        log_file=html.escape(str(status.log_file)),
        addresses=_for_script(_addresses(request)),
        report=_for_script(shown),
    )
    headers = (
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", _content_security_policy(nonce)),
        FRAME_OPTIONS,
    )
    return Response(HTTPStatus.OK, text.encode(), "text/html; charset=utf-8", headers)


def _addresses(request: Request) -> dict[str, str]:
    """What the page's script requests, relative: the page may be at any depth of any base URL.

    Only where the dashboard is to appear does the page load it in advance. A notebook shows the
    trace page in many small frames, each with this page while MLflow starts.
    """
    base = "../" * (request.path.count("/") - 1)
    is_dashboard = request.path == "/"
    return {
        name: base + addresses.below(path)
        for name, path in PAGE_ADDRESSES.items()
        if is_dashboard or path != addresses.DASHBOARD_FRAME
    }


def _for_script(value: Any) -> str:
    """JSON for a `<script>` element, which only a `<` could end."""
    return json.dumps(value).replace("<", "\\u003c")


def _content_security_policy(nonce: str) -> str:
    source = f"'nonce-{nonce}'"
    return (
        f"default-src 'none'; script-src {source}; style-src {source}; connect-src 'self'; "
        "img-src data:; frame-src 'self'; "
        "base-uri 'none'; form-action 'none'"
    )


def _read(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")
