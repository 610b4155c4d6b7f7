"""Changes MLflow's two pages: the dashboard gets our script, the trace page relative links.

The script tells a user's requests from the page's refresh. Notebooks show the trace page below a
cell; as MLflow ships it, its links start at the root of the host.
"""

import html
import os
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.shared import addresses

from .rewriting import rewriting

SCRIPT = (Path(__file__).parents[1] / "dashboard" / "input_reporter.js").read_text(encoding="utf-8")
HEAD = b"<head>"
# A browser may have cached a page with another version's script. The page is sent each time; it has
# a kilobyte or two.
CONDITIONS = ("if-none-match", "if-modified-since", "accept-encoding")
VALIDATORS = ("etag", "last-modified")
# A hub's proxy counts every request as activity, so a page without input must pause its refresh
# long before a culler checks. The user then sees no refresh, so elsewhere the pause is later.
PAUSE_AFTER_ON_HUB = 120.0  # seconds


class Pages:
    """Inserts the script before all others of the page at `/`, and answers its requests."""

    def __init__(self, app: ASGIApp, idle_timeout: float) -> None:
        self._app = app
        data = {
            "pause-after": f"{pause_after(idle_timeout):g}",
            "idle-header": addresses.IDLE_HEADER,
            "input": addresses.below(addresses.INPUT),
        }
        attributes = "".join(f' data-{name}="{html.escape(data[name])}"' for name in data)
        self._attributes = attributes
        self._changes = {"/": self._add_script, addresses.TRACE_PAGE: self._change_trace_page}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] == "http" and scope["path"] == addresses.INPUT:
            no_content = Response(status_code=204, headers={"Cache-Control": "no-store"})
            await no_content(scope, receive, send)
        elif (
            scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in self._changes
        ):
            headers = MutableHeaders(raw=list(scope["headers"]))
            for name in CONDITIONS:
                del headers[name]
            change = self._changes[scope["path"]]
            changing = rewriting(send, _forbid_caching, change)
            await self._app({**scope, "headers": headers.raw}, receive, changing)
        else:
            await self._app(scope, receive, send)

    def _add_script(self, page: bytes, base: str = "./") -> bytes:
        tag = f'<script{self._attributes} data-base="{base}">{SCRIPT}</script>'
        return page.replace(HEAD, HEAD + tag.encode(), 1)

    def _change_trace_page(self, page: bytes) -> bytes:
        """Insert the script, and make links relative, which start at the root of the host."""
        base = "../" * (addresses.TRACE_PAGE.count("/") - 1)
        page = page.replace(b'<base href="/">', f'<base href="{base}">'.encode(), 1)
        absolute, relative = addresses.STATIC_FILES, addresses.below(addresses.STATIC_FILES)
        page = page.replace(f'src="{absolute}/'.encode(), f'src="{relative}/'.encode())
        return self._add_script(page, base)


def pause_after(idle_timeout: float) -> float:
    """Seconds without input after which a dashboard pauses its requests; 0: never."""
    if "JUPYTERHUB_SERVICE_PREFIX" not in os.environ:
        return idle_timeout
    return min(PAUSE_AFTER_ON_HUB, idle_timeout or PAUSE_AFTER_ON_HUB)


def _forbid_caching(headers: MutableHeaders) -> bool:
    for name in VALIDATORS:
        del headers[name]
    headers["cache-control"] = "no-cache"
    return True
