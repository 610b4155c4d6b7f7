"""Decides what is done about a request below `/mlflow/`, by what MLflow does. The handlers act.

And what counts as use of MLflow, for its idle time and for Jupyter's last activity. An open
dashboard refreshes itself with the same requests that a user's clicks cause. A script in it
(server/dashboard/input_reporter.js) therefore adds to each request the seconds since the last input
or, for up to an hour after that, 0 while a visible page shows a run that is still running.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mlflow_proxy import addresses
from mlflow_proxy.status import State, Status

# Requests that never count as use: parts of a page, the polling of the loading page and JupyterLab,
# and the dashboard's telemetry, which a worker without our script sends.
NEVER_USE = (addresses.STATUS, addresses.CONTROL, addresses.TELEMETRY)


class Decision(Enum):
    """What is done about a request."""

    PROXY = "send it to MLflow, once that is ready"
    WAKE = "start MLflow and send it there, once that is ready"
    PAGE = "answer with the loading page; start MLflow unless it failed a moment ago"
    RETRY = "start MLflow again and tell the client to come back later"
    UNAVAILABLE = "tell the client to come back later"
    STATIC_FILE = "answer with one of MLflow's static files"
    DASHBOARD_FRAME = "answer with the dashboard's page, for the loading page"
    INPUT = "take notice that the dashboard is used; start MLflow if it is stopped"


@dataclass(frozen=True)
class Request:
    """What of a request decides; `path` is below the dashboard's address, as received."""

    method: str
    path: str
    headers: Mapping[str, str]
    waits: bool = False
    """Whether the client waits until MLflow is ready, also if that starts for the first time."""

    @property
    def wants_page(self) -> bool:
        """Whether a person waits for a page; otherwise a program waits for data."""
        return self.method in ("GET", "HEAD") and "text/html" in self.headers.get("Accept", "")

    @property
    def is_for_file(self) -> bool:
        """Whether it is for a static file; MLflow's process changes those that are pages."""
        is_file = addresses.STATIC_FILE.fullmatch(self.path) and not self.path.endswith(".html")
        return bool(is_file and self.method in ("GET", "HEAD") and not self.wants_page)

    @property
    def seconds_since_use(self) -> float:
        """Seconds since the use that caused it; infinite if no use caused it."""
        if self.path.startswith(NEVER_USE) or addresses.STATIC_FILE.fullmatch(self.path):
            return math.inf
        try:
            seconds = float(self.headers.get(addresses.IDLE_HEADER) or 0)
        except ValueError:
            return 0.0
        return seconds if seconds > 0 else 0.0  # also for a NaN

    @property
    def is_use(self) -> bool:
        return self.seconds_since_use <= addresses.ATTENDED

    @property
    def asks_to_wait(self) -> bool:
        """Whether it is to wait for the first start, too."""
        return self.waits or self.headers.get(addresses.WAIT[0]) == addresses.WAIT[1]

    @property
    def is_of_dashboard_frame(self) -> bool:
        """Whether the dashboard sent it that the loading page loads in a hidden frame.

        That gets static files only: its policy is weaker than the dashboard's. And a browser has
        a few connections to a host, of which the loading page needs one.
        """
        return addresses.DASHBOARD_FRAME in self.headers.get("Referer", "")


def decide(request: Request, status: Status) -> Decision:
    if decision := _decide_in_any_state(request, status):
        return decision
    if status.state is State.READY:
        return Decision.PROXY
    return Decision.PAGE if request.wants_page else _decide_about_program(request, status)


def _decide_in_any_state(request: Request, status: Status) -> Decision | None:
    """What is done about a request that never reaches MLflow."""
    if request.path == addresses.INPUT:
        return Decision.INPUT
    if status.static_folder and request.is_for_file:
        return Decision.STATIC_FILE
    is_frame = request.headers.get("Sec-Fetch-Dest", "iframe") == "iframe"  # as far as is said
    if status.static_folder and request.path == addresses.DASHBOARD_FRAME and is_frame:
        return Decision.DASHBOARD_FRAME
    return Decision.UNAVAILABLE if request.is_of_dashboard_frame else None


def _decide_about_program(request: Request, status: Status) -> Decision:
    # On the first start the browser shows its progress, and programs come back. Later no client
    # should notice that MLflow was stopped.
    can_wait = request.asks_to_wait or (status.has_served and not status.retried)
    match status.state:
        case State.STARTING if can_wait:
            return Decision.PROXY
        case State.IDLE if request.is_use:
            return Decision.WAKE if can_wait else Decision.RETRY
        case State.FAILED if request.is_use and not status.retries.seconds:
            return Decision.WAKE if request.asks_to_wait else Decision.RETRY
    return Decision.UNAVAILABLE
