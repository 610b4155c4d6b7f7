"""Keeps Jupyter's cookies and tokens from MLflow."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

# Jupyter has checked them. MLflow without an authentication app of its own reads none.
CREDENTIALS = ("authorization", "cookie", "proxy-authorization", "x-xsrftoken")
TOKEN = b"token="  # in the query of an address that Jupyter prints at its start


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
            if TOKEN in scope["query_string"]:
                scope["query_string"] = without_token(scope["query_string"])
        await self._app(scope, receive, send)


def without_token(query: bytes) -> bytes:
    """Remove every `token` field from `query`."""
    return b"&".join(field for field in query.split(b"&") if not field.startswith(TOKEN))
