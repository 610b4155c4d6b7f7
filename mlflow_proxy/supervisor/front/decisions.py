"""Decides what to do about a request while MLflow is not ready. The supervisor acts."""

from enum import Enum
from http import HTTPStatus

from mlflow_proxy.shared import addresses
from mlflow_proxy.shared.activity import is_use
from mlflow_proxy.shared.addresses import WAIT
from mlflow_proxy.shared.offers import Repair
from mlflow_proxy.shared.origins import is_own_origin
from mlflow_proxy.supervisor.state import State, Status

from . import answers
from .http import Request, Response


class Decision(Enum):
    """What the supervisor does about a request."""

    PAGE = "answer with the page; start MLflow unless it failed a moment ago"
    RETRY = "start MLflow again and tell the client to come back later"
    START = "start MLflow now"
    REPAIR = "run the offered repair, then start MLflow"
    DECLINE = "start MLflow without the offered repair, and do not offer it again"
    WAKE = "start MLflow and hold the request until it is ready"
    HOLD = "hold the request until MLflow is ready"
    UNAVAILABLE = "tell the client to come back later"


BUTTONS = {
    addresses.START: Decision.START,
    **{f"{addresses.REPAIR}/{repair.value}": Decision.REPAIR for repair in Repair},
    **{f"{addresses.DECLINE}/{repair.value}": Decision.DECLINE for repair in Repair},
}


def decide(request: Request, status: Status, holds_all: bool) -> Decision | Response:
    """Decide about `request`; returns the response if there is nothing else to do.

    `holds_all`: MLflow was stopped, e.g. because it was not used, and all requests are held.
    """
    if status.state is State.READY:  # accepted just before the supervisor stopped accepting
        return Decision.HOLD
    if button := BUTTONS.get(request.path):
        return _refusal(request, button, status) or button
    if response := answers.without_mlflow(request, status):
        return response
    if request.wants_page:
        return Decision.PAGE
    return _decide_about_program(request, status, holds_all)


def _decide_about_program(request: Request, status: Status, holds_all: bool) -> Decision:
    asks_to_wait = request.headers.get(WAIT[0].lower()) == WAIT[1]
    if is_use(request.path, request.headers.get(addresses.IDLE_HEADER.lower())):
        if status.state is State.IDLE:
            return Decision.WAKE
        if status.state is State.FAILED and not status.retries.seconds:
            return Decision.WAKE if asks_to_wait else Decision.RETRY
    is_held = status.state is State.STARTING and (holds_all or asks_to_wait)
    return Decision.HOLD if is_held else Decision.UNAVAILABLE


def _refusal(request: Request, button: Decision, status: Status) -> Response | None:
    # A page of another site can send a form without a preflight request, but not JSON.
    if request.method != "POST" or request.headers.get("content-type") != "application/json":
        return Response(HTTPStatus.METHOD_NOT_ALLOWED, b"POST application/json")
    if not _is_from_own_page(request):
        return Response(HTTPStatus.FORBIDDEN, b"Cross-origin request blocked")
    if button is not Decision.START and not _is_offered(request.path, button, status):
        return Response(HTTPStatus.CONFLICT, b"This is not offered now")
    return None


def _is_offered(path: str, button: Decision, status: Status) -> bool:
    """Whether the failure offers what the button does; the page may show an earlier one."""
    offer = status.failure and status.failure.offer
    if not offer or path.rpartition("/")[2] != offer.repair.value:
        return False
    return button is Decision.REPAIR or offer.decline != ""


def _is_from_own_page(request: Request) -> bool:
    """Whether a page of this origin sent the request, or a program, which sends no origin."""
    headers = request.headers
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = headers.get("origin")
    return not origin or is_own_origin(origin, headers.get("host", ""))
