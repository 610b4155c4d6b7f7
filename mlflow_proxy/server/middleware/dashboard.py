"""Adds our script to the dashboard's page: it tells a person's requests from the page's own."""

from __future__ import annotations

from pathlib import Path

from .types import ASGIApp, Message, Receive, Scope, Send

SCRIPT = (Path(__file__).parents[1] / "dashboard" / "activity.js").read_text(encoding="utf-8")
HEAD = b"<head>"
PING_PATH = "/_proxy/activity"  # what the script sends after an input that causes no request
# What a browser has kept may hold another version's script: the page is sent anew each time. It has
# a kilobyte or two.
CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})
VALIDATORS = frozenset({b"etag", b"last-modified", b"content-length"})


class DashboardScript:
    """Puts the script before all others of the page at `/`, and answers its pings.

    `hold_after` are the seconds without input after which the page keeps its requests; 0: never.
    """

    def __init__(self, app: ASGIApp, hold_after: float) -> None:
        self._app = app
        self._tag = f'<script data-hold-after="{hold_after:g}">{SCRIPT}</script>'.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] == "http" and scope["path"] == PING_PATH:
            headers = [(b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body"})
        elif scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", "/"):
            headers = [header for header in scope["headers"] if header[0] not in CONDITIONS]
            await self._app({**scope, "headers": headers}, receive, self._adding(send))
        else:
            await self._app(scope, receive, send)

    def _adding(self, send: Send) -> Send:
        start: Message = {}
        page = b""

        async def send_with_script(message: Message) -> None:
            nonlocal page
            if message["type"] == "http.response.start":
                start.update(message)
                return
            page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = page.replace(HEAD, HEAD + self._tag, 1)
            headers = [each for each in start.get("headers", ()) if each[0] not in VALIDATORS]
            headers.append((b"content-length", b"%d" % len(page)))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": page})

        return send_with_script
