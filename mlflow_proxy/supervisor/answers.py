"""What is answered while MLflow is not up: a page to a person, 503 to a program, static files."""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any

from mlflow_proxy.activity import HEADER, is_use
from mlflow_proxy.origins import is_own_origin

from .http import Request, Response
from .state import State, Status
from .static_files import PREFIX, dashboard, static_file

PAGES = Path(__file__).parent / "pages"
ICON = Path(__file__).parents[1] / "icons" / "mlflow.svg"
STATUS_PATH = "/_proxy/status"  # the MLflow process answers it too, once it is up
START_PATH = "/_proxy/start"
# The dashboard's page, for the loading page to load in a hidden frame. It stands beside the
# dashboard itself, for its links are relative.
DASHBOARD_PATH = "/_proxy_dashboard"
UPGRADE_PATH = "/_proxy/upgrade"
# Seconds for `Retry-After`. MLflow's client asks eight times in all and waits this long in between:
# about what is left of the start, for a second each would be too little on a slow machine.
MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1, 30
RETRY_AFTER_FAILURE = 10
# For a client that comes back each time that MLflow is just up, crashes in a row would use up its
# eight times: better it misses some of them.
RETRY_AFTER_CRASHES = 30
# From 3.18 MLflow's client does not repeat after a 503 what might then be created twice. After this
# it does, as all its releases do: it takes it to say that nothing was done.
MLFLOWS_CLIENT, NOTHING_DONE = "mlflow-python-client/", HTTPStatus.TOO_MANY_REQUESTS


class Answers:
    """Answers from `status`.

    `want` is told when somebody wants MLflow (True: at once), `upgrade` when somebody agrees to the
    upgrade of the database; it returns whether that was on offer.
    """

    def __init__(
        self, status: Status, want: Callable[[bool], None], upgrade: Callable[[], bool]
    ) -> None:
        self._status = status
        self._want = want
        self._upgrade = upgrade

    def __call__(self, request: Request) -> Response | None:
        """Answer `request`; None for one that MLflow is to answer, at once or once it is back."""
        if self._status.state is State.READY:  # accepted just before that
            return None
        if answer := self._own(request):
            return answer
        if request.wants_page:
            self._want(False)
            return self._page(request)
        return None if self._wakes(request) else self.unavailable(request)

    def _own(self, request: Request) -> Response | None:
        """Answer what needs no MLflow."""
        if request.path == STATUS_PATH:
            return Response.json(HTTPStatus.OK, self._report())
        if request.path in (START_PATH, UPGRADE_PATH):
            return self._act(request)
        if request.path == DASHBOARD_PATH and self._status.static_folder:
            return dashboard(self._status.static_folder)
        is_file = request.path.startswith(PREFIX) and not request.wants_page
        if is_file and self._status.static_folder:
            encodings = request.headers.get("accept-encoding", "")
            return static_file(self._status.static_folder, request.path, encodings)
        return None

    def _wakes(self, request: Request) -> bool:
        """Whether MLflow, after an idle stop, comes back for `request` or is about to."""
        idle = request.headers.get(HEADER.lower())
        if self._status.state is State.IDLE and is_use(request.path, idle):
            self._want(False)
        return self._status.after_idle and self._status.state is State.STARTING

    def _act(self, request: Request) -> Response:
        # A page of another site can send a form, but no JSON without being asked first.
        if request.method != "POST" or request.headers.get("content-type") != "application/json":
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, b"POST application/json")
        if not _is_from_own_page(request):
            return Response(HTTPStatus.FORBIDDEN, b"Cross-origin request blocked")
        if request.path == START_PATH:
            self._want(True)
        elif not self._upgrade():
            return Response(HTTPStatus.CONFLICT, b"There is nothing to upgrade")
        return Response.json(HTTPStatus.ACCEPTED, self._report())

    def _report(self) -> dict[str, Any]:
        """What the page shows; see `pages/page.js`."""
        status = self._status
        return {
            "state": status.state.value,
            "text": status.progress.text,
            "progress": round(status.progress.fraction, 3),
            "seconds": round(status.progress.seconds, 1),
            "reason": status.failure.reason if status.failure else "",
            "remedy": status.failure.remedy if status.failure else "",
            "upgrade": status.failure.upgrade if status.failure else None,
            "log": list(status.log_lines),
            "dashboard": status.static_folder is not None,
        }

    def unavailable(self, request: Request) -> Response:
        """Tell a program to come back."""
        http_status, seconds = HTTPStatus.SERVICE_UNAVAILABLE, self._remaining()
        if failure := self._status.failure:
            message, seconds = f"{failure.reason} {failure.remedy}", RETRY_AFTER_FAILURE
        elif self._status.state is State.IDLE:
            message = "MLflow is stopped: nobody uses it."
        else:
            message = "MLflow is starting."
            if self._status.crashes > 1:
                seconds = RETRY_AFTER_CRASHES
            if request.method == "POST" and MLFLOWS_CLIENT in request.headers.get("user-agent", ""):
                http_status = NOTHING_DONE
        error = {"error_code": "TEMPORARILY_UNAVAILABLE", "message": message}
        retry_after = ("Retry-After", str(seconds))
        return Response.json(http_status, error, retry_after)

    def _remaining(self) -> int:
        remaining = math.ceil(self._status.progress.remaining)
        return min(max(remaining, MIN_RETRY_AFTER), MAX_RETRY_AFTER)

    def _page(self, request: Request) -> Response:
        nonce = os.urandom(16).hex()
        report = self._report()
        page = Template(_read("page.html")).substitute(
            nonce=nonce,
            style=_read("page.css"),
            script=_read("page.js"),
            icon=ICON.read_text(encoding="utf-8"),
            # Links are relative: the page may stand at any depth under any base URL.
            base="../" * (request.path.count("/") - 1),
            state=report["state"],
            reason=html.escape(report["reason"]),
            remedy=html.escape(report["remedy"]),
            log_file=html.escape(str(self._status.log_file)),
            # Only `<` could end the element that it stands in.
            report=json.dumps(report).replace("<", "\\u003c"),
        )
        headers = (
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", _content_security_policy(nonce)),
            ("X-Frame-Options", "SAMEORIGIN"),
        )
        return Response(HTTPStatus.OK, page.encode(), "text/html; charset=utf-8", headers)


def _is_from_own_page(request: Request) -> bool:
    """Whether a browser's page of this very origin has sent it, or a program, which names none."""
    headers = request.headers
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = headers.get("origin")
    return not origin or is_own_origin(origin.encode(), headers.get("host", "").encode())


def _content_security_policy(nonce: str) -> str:
    source = f"'nonce-{nonce}'"
    return (
        f"default-src 'none'; script-src {source}; style-src {source}; connect-src 'self'; "
        "img-src data:; frame-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def _read(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")
