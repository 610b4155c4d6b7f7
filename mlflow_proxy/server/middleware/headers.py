"""Keeps Jupyter's cookies and tokens from MLflow."""

from __future__ import annotations

from .types import ASGIApp, Receive, Scope, Send

# Jupyter has checked them; MLflow without an authentication app of its own reads none.
JUPYTERS = frozenset({b"authorization", b"cookie", b"proxy-authorization", b"x-xsrftoken"})
TOKEN = b"token="  # in the query of an address such as Jupyter prints at its start


class JupyterHeaders:
    """Removes from a request what identifies the user to Jupyter."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without them."""
        if scope["type"] in ("http", "websocket"):
            headers = [header for header in scope["headers"] if header[0] not in JUPYTERS]
            scope = {**scope, "headers": headers}
            if TOKEN in scope["query_string"]:
                scope["query_string"] = without_token(scope["query_string"])
        await self._app(scope, receive, send)


def without_token(query: bytes) -> bytes:
    """Remove every `token` field from `query`, and nothing else."""
    return b"&".join(field for field in query.split(b"&") if not field.startswith(TOKEN))
