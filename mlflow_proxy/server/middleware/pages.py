"""Changes MLflow's two pages: both get our scripts, the trace page also relative links.

Each script says at its top what it is for. Notebooks show the trace page below a cell; as MLflow
ships it, its links start at the root of the host.
"""

import html
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy import addresses
from mlflow_proxy.assets import lab_theme

from .bodies import rewriting
from .security import NONCE

FOLDER = Path(__file__).parents[1] / "dashboard"
NAMES = (
    "watched_runs.js",
    "notice.js",
    "server_state.js",
    "gateway_addresses.js",
    "input_reporter.js",
    "artifact_frame.js",
    "trace_links.js",
    "functions.js",
    "defaults.js",
    "theme.js",
)


def read(name: str) -> str:
    """Read a file of the folder `dashboard`."""
    return (FOLDER / name).read_text(encoding="utf-8")


# One function around all: they see each other's names, and MLflow's scripts do not.
SCRIPTS = "\n".join(("(() => {", lab_theme(), *map(read, NAMES), "})();"))
# A browser may have cached a page with another version's scripts. The page is sent each time; it
# has a kilobyte or two.
CONDITIONS = ("if-none-match", "if-modified-since", "accept-encoding", "range", "if-range")
VALIDATORS = ("etag", "last-modified")
# A hub's proxy counts every request as activity, so a page without input must pause its refresh
# long before a culler checks. The user then sees no refresh, so elsewhere the pause is later.
PAUSE_AFTER_ON_HUB = 120.0  # seconds
# A training is watched without input. A hub's culler is kept away by no more than this, so that a
# page which is forgotten on a screen, or a run that never ends, does not keep a server for ever.
WATCH_LIMIT = 3600.0  # seconds since the last input


class Pages:
    """Inserts our scripts before all others of the two pages."""

    def __init__(self, app: ASGIApp, idle_timeout: float, has_local_address: bool = False) -> None:
        self._app = app
        self._data = {
            "attended": f"{addresses.ATTENDED:g}",
            "artifact-frame": addresses.below(addresses.ARTIFACT_FRAME),
            "assistant-key": addresses.ASSISTANT_KEY,
            "gateway": addresses.below(addresses.GATEWAY),
            "graph": addresses.below(addresses.GRAPHQL),
            "has-local-address": "true" if has_local_address else "",
            "idle-header": addresses.IDLE_HEADER,
            "input": addresses.below(addresses.INPUT),
            "input-message": addresses.INPUT_MESSAGE,
            "mode-key": addresses.MODE_KEY,
            "pause-after": f"{pause_after(idle_timeout):g}",
            "run": addresses.below(addresses.RUN),
            "run-search": addresses.below(addresses.RUN_SEARCH),
            "status": addresses.below(addresses.STATUS),
            "theme-key": addresses.THEME_KEY,
            "watch-limit": f"{WATCH_LIMIT:g}",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_changed(scope):
            headers = MutableHeaders(raw=list(scope["headers"]))
            for name in CONDITIONS:
                del headers[name]
            change = partial(self._change, scope["path"], scope.get(NONCE, str))
            scope = {**scope, "headers": headers.raw}
            send = rewriting(send, _forbid_caching, change)
        await self._app(scope, receive, send)

    def _change(self, path: str, draw_nonce: Callable[[], str], page: bytes) -> bytes:
        """Insert the scripts, allow the page's own, and make the links relative."""
        nonce = draw_nonce()
        base = "../" * (path.count("/") - 1) or "./"
        is_trace_page = "true" if path == addresses.TRACE_PAGE else ""
        pairs = {**self._data, "base": base, "is-trace-page": is_trace_page}.items()
        attributes = "".join(f' data-{name}="{html.escape(value)}"' for name, value in pairs)
        text = page.decode("utf-8", "surrogateescape")
        text = text.replace("<script", f'<script nonce="{nonce}"')
        ours = f'<script nonce="{nonce}"{attributes}>{SCRIPTS}</script>'
        text = text.replace("<head>", f"<head>{ours}", 1)
        text = text.replace('<base href="/">', f'<base href="{base}">', 1)
        absolute, relative = addresses.STATIC_FILES, addresses.below(addresses.STATIC_FILES)
        text = text.replace(f'src="{absolute}/', f'src="{relative}/')
        return text.encode("utf-8", "surrogateescape")


def is_changed(scope: Scope) -> bool:
    """Whether `Pages` changes the response, for which it is read whole."""
    is_get = scope["type"] == "http" and scope["method"] == "GET"
    return is_get and scope["path"] in ("/", addresses.TRACE_PAGE)


def pause_after(idle_timeout: float) -> float:
    """Seconds without input after which a dashboard pauses its requests; 0: never."""
    if addresses.HUB not in os.environ:
        return idle_timeout
    return min(PAUSE_AFTER_ON_HUB, idle_timeout or PAUSE_AFTER_ON_HUB)


def _forbid_caching(start: Message) -> bool:
    headers = MutableHeaders(scope=start)
    for name in VALIDATORS:
        del headers[name]
    headers["cache-control"] = "no-cache"
    return True
