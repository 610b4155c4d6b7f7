"""What the supervisor answers on its own socket in every state: MLflow's state, start and stop.

Only this user's programs reach the socket. Jupyter's extension decides who may ask.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from mlflow_proxy.shared.addresses import CONTROL
from mlflow_proxy.shared.reports import Idle

from . import memory
from .front.http import Request, Response
from .state import State, Status


def respond(
    request: Request, *, status: Status, actions: Mapping[str, Callable[[], None]]
) -> Response:
    """Answer `request` with `status`, after one of the `actions`, by their paths, for a `POST`."""
    if request.method == "GET" and request.path == CONTROL:
        return Response.json(HTTPStatus.OK, describe(status))
    if request.method == "POST" and (act := actions.get(request.path)):
        act()
        return Response.json(HTTPStatus.ACCEPTED, describe(status))
    return Response(HTTPStatus.NOT_FOUND, b"Not found")


def describe(status: Status) -> dict[str, Any]:
    """What the supervisor knows of MLflow, as JSON; memory in bytes, time in Unix seconds."""
    is_starting = status.state is State.STARTING
    return {
        "state": status.state.value,
        "since": status.since,
        "progress": round(status.progress.fraction, 3) if is_starting else None,
        "text": _text(status),
        "remedy": status.failure.remedy if status.failure else "",
        "version": status.version,
        "memory": memory.of(status.pids),
        "pid": status.pids[-1] if status.pids else None,
    }


def _text(status: Status) -> str:
    match status.state:
        case State.STARTING:
            return status.progress.text
        case State.FAILED if status.failure:
            return status.failure.reason
        case State.IDLE if isinstance(status.stopped, Idle):
            return f"Stopped after {status.stopped.seconds:g} s without use"
        case State.IDLE:
            return "Stopped by the user"
    return "MLflow is running"
