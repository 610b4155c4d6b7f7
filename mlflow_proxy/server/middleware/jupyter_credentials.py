"""Keeps Jupyter's cookies and tokens from MLflow."""

from urllib.parse import unquote_plus

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

# Jupyter has checked them. MLflow without an authentication app of its own reads none. `Referer`
# may be an address with Jupyter's token.
CREDENTIALS = (
    "authorization",
    "cookie",
    "proxy-authorization",
    "referer",
    "x-csrftoken",
    "x-xsrftoken",
)
FIELDS = frozenset({"token", "_xsrf"})  # of a query, as Jupyter's handlers read them


class JupyterCredentials:
    """Removes from a request what identifies the user to Jupyter."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without credentials."""
        if scope["type"] in ("http", "websocket"):
            headers = MutableHeaders(raw=list(scope["headers"]))
            for name in CREDENTIALS:
                del headers[name]
            scope = {**scope, "headers": headers.raw}
            scope["query_string"] = without_credentials(scope["query_string"])
        await self._app(scope, receive, send)


def without_credentials(query: bytes) -> bytes:
    """Remove every field of `FIELDS` from `query`, and leave the others as they are."""
    fields = query.split(b"&")
    return b"&".join(field for field in fields if _name(field) not in FIELDS)


def _name(field: bytes) -> str:
    return unquote_plus(field.partition(b"=")[0].decode("latin-1")).strip()
