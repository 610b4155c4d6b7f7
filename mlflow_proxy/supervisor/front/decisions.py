"""Decides what to do about a request while MLflow is not ready. The supervisor acts."""

from enum import Enum
from http import HTTPStatus

from mlflow_proxy.shared import addresses
from mlflow_proxy.shared.activity import is_use
from mlflow_proxy.shared.origins import is_own_origin
from mlflow_proxy.supervisor.state import State, Status

from . import answers
from .http import Request, Response


class Decision(Enum):
    """What the supervisor does about a request."""

    PAGE = "answer with the page; start MLflow unless it failed a moment ago"
    RETRY = "start MLflow again and tell the client to come back later"
    START = "start MLflow now"
    UPGRADE = "upgrade the database, then start MLflow"
    WAKE = "start MLflow and hold the request until it is ready"
    HOLD = "hold the request until MLflow is ready"
    UNAVAILABLE = "tell the client to come back later"


BUTTONS = {addresses.START: Decision.START, addresses.UPGRADE: Decision.UPGRADE}


def decide(request: Request, status: Status, is_holding: bool) -> Decision | Response:
    """Decide about `request`; returns the response if there is nothing else to do.

    `is_holding`: MLflow was stopped, e.g. because it was not used, and requests are held.
    """
    if status.state is State.READY:  # accepted just before the supervisor stopped accepting
        return Decision.HOLD
    if button := BUTTONS.get(request.path):
        return _refusal(request, status) or button
    if response := answers.without_mlflow(request, status):
        return response
    if request.wants_page:
        return Decision.PAGE
    return _decide_about_program(request, status, is_holding)


def _decide_about_program(request: Request, status: Status, is_holding: bool) -> Decision:
    if is_use(request.path, request.headers.get(addresses.IDLE_HEADER.lower())):
        if status.state is State.IDLE:
            return Decision.WAKE
        if status.state is State.FAILED and not status.retries.seconds:
            return Decision.RETRY
    is_restarting = status.state is State.STARTING and is_holding
    return Decision.HOLD if is_restarting else Decision.UNAVAILABLE


def _refusal(request: Request, status: Status) -> Response | None:
    # A page of another site can send a form without a preflight request, but not JSON.
    if request.method != "POST" or request.headers.get("content-type") != "application/json":
        return Response(HTTPStatus.METHOD_NOT_ALLOWED, b"POST application/json")
    if not _is_from_own_page(request):
        return Response(HTTPStatus.FORBIDDEN, b"Cross-origin request blocked")
    is_offered = status.failure is not None and status.failure.upgrade is not None
    if request.path == addresses.UPGRADE and not is_offered:
        return Response(HTTPStatus.CONFLICT, b"There is nothing to upgrade")
    return None


def _is_from_own_page(request: Request) -> bool:
    """Whether a page of this origin sent the request, or a program, which sends no origin."""
    headers = request.headers
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = headers.get("origin")
    return not origin or is_own_origin(origin, headers.get("host", ""))
