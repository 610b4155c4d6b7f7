"""Tells the loading page that MLflow is up."""

from __future__ import annotations

from .types import ASGIApp, Receive, Scope, Send

STATUS_PATH = "/_proxy/status"  # the supervisor answers it until MLflow is up
BODY = b'{"state": "ready"}'


class ReadyStatus:
    """Answers `STATUS_PATH`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] != STATUS_PATH:
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(BODY)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})
