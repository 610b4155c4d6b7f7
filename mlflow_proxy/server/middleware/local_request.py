"""Makes a request that Jupyter has checked one that MLflow accepts as local.

MLflow refuses host names that are not local (DNS rebinding) and writes from pages of another
origin. Jupyter has checked the Host header, so it is replaced by a local one. The page's origin is
compared here, where the Host is still the browser's. A page of the same host becomes local; any
other gets the origin `null` and cannot write. Jupyter compares the same two headers and, like this,
ignores `X-Forwarded-Host` (jupyter_server/base/handlers.py, `check_origin`).
"""

from urllib.parse import unquote_plus

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.headers import LOCAL_HOST, LOCAL_ORIGIN, is_own_origin

NO_ORIGIN = "null"  # what browsers send for a page without an origin of its own (RFC 6454, 7.3)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Jupyter's cookies and tokens. MLflow without an authentication app of its own reads none.
# `Referer` may be an address with Jupyter's token.
CREDENTIALS = (
    "authorization",
    "cookie",
    "proxy-authorization",
    "referer",
    "x-csrftoken",
    "x-xsrftoken",
)
FIELDS = frozenset({"token", "_xsrf"})  # of a query, as Jupyter's handlers read them


class LocalRequest:
    """Replaces Host and Origin, removes credentials, and refuses writes from other pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = MutableHeaders(raw=list(scope["headers"]))
        for name in CREDENTIALS:
            del headers[name]
        make_local(headers)
        is_foreign = headers.get("origin") == NO_ORIGIN
        if is_foreign and scope["type"] == "http" and scope["method"] not in READING:
            # MLflow's words, which it uses for some of its paths; `/graphql` is not among them.
            refusal = PlainTextResponse("Cross-origin request blocked", 403)
            await refusal(scope, receive, send)
            return
        query = without_credentials(scope["query_string"])
        await self._app({**scope, "headers": headers.raw, "query_string": query}, receive, send)


def make_local(headers: MutableHeaders) -> None:
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    headers["host"] = LOCAL_HOST
    if origins:
        is_own = len(origins) == len(hosts) == 1 and is_own_origin(origins[0], hosts[0])
        headers["origin"] = LOCAL_ORIGIN if is_own else NO_ORIGIN


def without_credentials(query: bytes) -> bytes:
    """Remove every field of `FIELDS` from `query`, and leave the others as they are."""
    fields = query.split(b"&")
    return b"&".join(field for field in fields if _name(field) not in FIELDS)


def _name(field: bytes) -> str:
    return unquote_plus(field.partition(b"=")[0].decode("latin-1")).strip()
