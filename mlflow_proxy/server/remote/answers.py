"""What is answered in the tracking server's place: a page to a person, a sentence to a program."""

import html
import re
from http import HTTPStatus
from pathlib import Path
from string import Template

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from mlflow_proxy.icon import tab_icons
from mlflow_proxy.reports import Failure

PAGES = Path(__file__).parents[1] / "dashboard"
NO_STORE = {"Cache-Control": "no-store"}
# MLflow's names of errors.
CODES = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "BAD_REQUEST",
}

ADDRESS = re.compile(r"https?://[^\s<>&]+[^\s<>&.,;:)]")


def wants_page(scope: Scope) -> bool:
    """Whether a person has opened the address in a browser."""
    accept = Headers(scope=scope).get("accept", "")
    return bool(scope["method"] == "GET" and "text/html" in accept)


def failed(scope: Scope, failure: Failure, status: HTTPStatus = HTTPStatus.BAD_GATEWAY) -> Response:
    """Answer with the failure: 200 and a page to a person, `status` and JSON to a program."""
    if wants_page(scope):
        page = Template(_read("unreachable.html")).substitute(
            icon=html.escape(tab_icons()["failed"]),
            style=_read("unreachable.css"),
            script=_read("unreachable.js"),
            reason=linked(failure.reason),
            remedy=linked(failure.remedy),
        )
        return HTMLResponse(page, headers=NO_STORE)
    return error(status, f"{failure.reason} {failure.remedy}")


def _read(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def error(status: HTTPStatus, message: str) -> Response:
    """Answer a program as MLflow reports errors."""
    code = CODES.get(status, "TEMPORARILY_UNAVAILABLE")
    return JSONResponse({"error_code": code, "message": message}, status, NO_STORE)


def linked(text: str) -> str:
    """`text` as HTML, with a link for each address in it."""
    link = r'<a href="\g<0>" target="_blank" rel="noreferrer">\g<0></a>'
    return ADDRESS.sub(link, html.escape(text))
