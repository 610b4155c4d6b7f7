"""Lets MLflow be served under any host name, and accept writes only from pages of that name.

MLflow refuses host names that are not local (DNS rebinding) and writes from pages of another
origin. Jupyter has checked the Host header, so it is replaced by a local one. The page's origin is
compared here, where the Host is still the browser's. A page of the same host becomes local; any
other gets the origin `null` and cannot write. Jupyter compares the same two headers and, like this,
ignores `X-Forwarded-Host` (jupyter_server/base/handlers.py, `check_origin`).
"""

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.headers import LOCAL_HOST, LOCAL_ORIGIN, is_own_origin

from .body import discard_body

NO_ORIGIN = "null"  # what browsers send for a page without an origin of its own (RFC 6454, 7.3)
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class OwnOrigin:
    """Replaces Host and Origin by what MLflow accepts as local, or refuses the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the replaced headers, or refuse it."""
        if scope["type"] != "http":  # MLflow has no WebSocket and refuses them all
            await self._app(scope, receive, send)
            return
        headers = MutableHeaders(raw=list(scope["headers"]))
        make_local(headers)
        if headers.get("origin") == NO_ORIGIN and scope["method"] not in READING:
            await discard_body(receive)
            # MLflow's words, which it uses for some of its paths; `/graphql` is not among them.
            refusal = PlainTextResponse("Cross-origin request blocked", 403)
            await refusal(scope, receive, send)
            return
        await self._app({**scope, "headers": headers.raw}, receive, send)


def make_local(headers: MutableHeaders) -> None:
    """Replace Host, and Origin if there is one."""
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    headers["host"] = LOCAL_HOST
    if origins:
        is_own = len(origins) == len(hosts) == 1 and is_own_origin(origins[0], hosts[0])
        headers["origin"] = LOCAL_ORIGIN if is_own else NO_ORIGIN
