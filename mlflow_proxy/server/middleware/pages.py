"""Changes MLflow's two pages: the dashboard gets our script, the trace page relative links.

The script tells a person's requests from the page's own. The trace page is the one that notebooks
show below a cell; as it comes, it looks for everything at the root of the host.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .types import ASGIApp, Message, Receive, Scope, Send

SCRIPT = (Path(__file__).parents[1] / "dashboard" / "activity.js").read_text(encoding="utf-8")
HEAD = b"<head>"
TRACE_PAGE = "/static-files/lib/notebook-trace-renderer/index.html"
PING_PATH = "/_proxy/activity"  # what the script sends after an input that causes no request
# What a browser has kept may hold another version's script: the page is sent anew each time. It has
# a kilobyte or two.
CONDITIONS = frozenset({b"if-none-match", b"if-modified-since", b"accept-encoding"})
VALIDATORS = frozenset({b"etag", b"last-modified", b"content-length", b"cache-control"})


class Pages:
    """Puts the script before all others of the page at `/`, and answers its pings.

    `hold_after` are the seconds without input after which the page keeps its requests; 0: never.
    """

    def __init__(self, app: ASGIApp, hold_after: float) -> None:
        self._app = app
        self._tag = f'<script data-hold-after="{hold_after:g}">{SCRIPT}</script>'.encode()
        self._pages = {"/": self._add_script, TRACE_PAGE: _make_relative}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] == "http" and scope["path"] == PING_PATH:
            headers = [(b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body"})
        elif scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in self._pages:
            change = self._pages[scope["path"]]
            headers = [header for header in scope["headers"] if header[0] not in CONDITIONS]
            await self._app({**scope, "headers": headers}, receive, _changing(send, change))
        else:
            await self._app(scope, receive, send)

    def _add_script(self, page: bytes) -> bytes:
        return page.replace(HEAD, HEAD + self._tag, 1)


def _make_relative(page: bytes) -> bytes:
    base = "../" * (TRACE_PAGE.count("/") - 1)
    page = page.replace(b'<base href="/">', f'<base href="{base}">'.encode(), 1)
    return page.replace(b'src="/static-files/', b'src="static-files/')


def _changing(send: Send, change: Callable[[bytes], bytes]) -> Send:
    start: Message = {}
    page = b""

    async def send_changed(message: Message) -> None:
        nonlocal page
        if message["type"] == "http.response.start":
            start.update(message)
            return
        page += message.get("body", b"")
        if message.get("more_body"):
            return
        page = change(page)
        headers = [each for each in start.get("headers", ()) if each[0] not in VALIDATORS]
        headers += [(b"content-length", b"%d" % len(page)), (b"cache-control", b"no-cache")]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    return send_changed
