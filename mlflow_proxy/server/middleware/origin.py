"""Lets MLflow be served under any host name, and only to pages of that name.

MLflow refuses host names that are not local (DNS rebinding) and writes from pages of another
origin. Jupyter has checked the Host header, so MLflow is told that it is local. The page's origin
is judged here, where the Host is still the browser's: a page of the same host is local, too; any
other is nobody, and may not write. Jupyter compares the same two headers and, as here, trusts no
`X-Forwarded-Host` (jupyter_server/base/handlers.py, `check_origin`).
"""

from __future__ import annotations

from mlflow_proxy.origins import is_own_origin

from .types import ASGIApp, Headers, Message, Receive, Scope, Send

LOCAL_HOST = b"localhost"
LOCAL_ORIGIN = b"http://localhost"
NOBODY = b"null"  # what browsers send for a page without an origin of its own (RFC 6454, 7.3)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_REFUSED = 16 << 20  # bytes
REFUSAL = b"Cross-origin request blocked"  # as MLflow words it


class OwnOrigin:
    """Maps Host and Origin to what MLflow takes for local."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the mapped headers, or refuse it."""
        if scope["type"] != "http":  # MLflow has no WebSocket and refuses them all
            await self._app(scope, receive, send)
            return
        headers = local_headers(scope["headers"])
        if (b"origin", NOBODY) in headers and scope.get("method") not in READING:
            await _refuse(receive, send)
            return
        await self._app({**scope, "headers": headers}, receive, send)


def local_headers(headers: Headers) -> Headers:
    """Map `headers`; a request without an Origin keeps having none."""
    hosts = [value for name, value in headers if name == b"host"]
    origins = [value for name, value in headers if name == b"origin"]
    mapped = [header for header in headers if header[0] not in (b"host", b"origin")]
    mapped.append((b"host", LOCAL_HOST))
    if origins:
        own = len(origins) == len(hosts) == 1 and is_own_origin(origins[0], hosts[0])
        mapped.append((b"origin", LOCAL_ORIGIN if own else NOBODY))
    return mapped


async def _refuse(receive: Receive, send: Send) -> None:
    """Refuse as MLflow does for a part of its paths, `/graphql` not among them.

    MLflow answers before the request's body has come, and tornado, which sends it, then often finds
    a closed connection in place of the answer. So the body is read first, up to a limit.
    """
    message: Message = {"more_body": True}
    received = 0
    while message.get("more_body") and received < MAX_REFUSED:
        message = await receive()
        received += len(message.get("body", b""))
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(REFUSAL))]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": REFUSAL})
