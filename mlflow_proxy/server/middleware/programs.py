"""What a program gets that asks at the address for the user's own processes.

It has a credential of that address, which another user of the machine may learn. MLflow's client
sends it to every host that an artifact's location names, and people write locations into a store
that others share. A client with our part for notebooks does not, and says so.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.addresses import GUARDED, PROGRAM, starts_programs

from .bodies import error_response, is_api_response, rewriting_json

REFUSAL = "What starts programs is for the dashboard's pages, which Jupyter's login opens."
# Fields, and tags of a trace, whose values MLflow's client opens.
LOCATIONS = frozenset(
    {
        "artifact_location",
        "artifactLocation",
        "artifact_uri",
        "artifactUri",
        "mlflow.artifactLocation",
        "mlflow.trace.archiveLocation",
        "root_uri",
        "source",
        "storage_location",
    }
)
SIGNED = ("http", "https", "mlflow-artifacts")  # schemes for which the client sends a credential
# MLflow's client knows no such scheme, and shows the location in its error.
REFUSED = "refused-by-jupyter-mlflow-proxy"
WHY = "(MLflow would send the credential of your MLflow server to that host; see TROUBLESHOOTING)"


class Programs:
    """Keeps from programs what starts others, and locations of other hosts than `authority`."""

    def __init__(self, app: ASGIApp, authority: str) -> None:
        self._app = app
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = Headers(scope=scope).get(PROGRAM) if scope["type"] == "http" else None
        if kind and starts_programs(scope["path"]):
            refusal = error_response(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", REFUSAL)
            await refusal(scope, receive, send)
            return
        if kind and kind != GUARDED:
            send = rewriting_json(send, is_api_response, self._without_other_hosts)
        await self._app(scope, receive, send)

    def _without_other_hosts(self, answer: Any) -> Any:
        """`answer` with an unusable location for each of another host; None if there is none."""
        return answer if self._replace_in(answer) else None

    def _replace_in(self, value: Any) -> int:
        """Replace locations in `value`; returns how many there were."""
        if isinstance(value, list):
            return sum(map(self._replace_in, value))
        if not isinstance(value, dict):
            return 0
        names = {*LOCATIONS & value.keys()}
        if value.get("key") in LOCATIONS:  # a tag
            names.add("value")
        found = [name for name in names if self._is_elsewhere(value[name])]
        for name in found:
            value[name] = f"{REFUSED}:{value[name]} {WHY}"
        return len(found) + sum(map(self._replace_in, value.values()))

    def _is_elsewhere(self, location: Any) -> bool:
        if not isinstance(location, str):
            return False
        try:
            parts = urlsplit(location)
        except ValueError:  # no client can open it
            return False
        if parts.scheme not in SIGNED or parts.netloc == self._authority:
            return False
        # MLflow's client joins paths to what has no host, and of `////host` makes `//host`.
        has_host = bool(parts.netloc) or parts.path.startswith("//")
        return has_host or parts.scheme != "mlflow-artifacts"
