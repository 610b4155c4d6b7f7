"""Headers and origins, as every HTTP proxy must treat them."""

import re
from collections.abc import Iterable

# RFC 9110, 7.6.1, and the older hop-by-hop headers of RFC 2616, 13.5.1.
HOP_BY_HOP = {
    *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    *("proxy-authenticate", "proxy-authorization", "proxy-connection"),
}
# Without them a request would pass as one that no browser's page has sent.
ALWAYS_KEPT = re.compile(r"host|origin|referer|sec-fetch-\w+|content-\w+")
REDIRECTS = frozenset({301, 302, 303, 307, 308})

FRAME_OPTIONS = ("X-Frame-Options", "SAMEORIGIN")
"""Of pages and static files. Jupyter's extension replaces it by Jupyter's own policy."""

KEEP_ALIVE = 3.0
"""Seconds without a request after which Jupyter closes a connection; MLflow would do so later."""

COMPRESSIBLE = frozenset({".css", ".html", ".js", ".json", ".map", ".svg", ".txt"})
"""Suffixes of files that shrink. Pictures and fonts are compressed already."""

MIN_COMPRESSED = 1024
"""Bytes of a file that is compressed; less does not fill a packet."""

LOCAL_HOST = "localhost"  # what MLflow accepts, without a configuration
LOCAL_ORIGIN = f"http://{LOCAL_HOST}"
"""The origin that MLflow sees, see server/middleware/security.py."""
ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[-.\w\[\]:%]+)", re.ASCII)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}

Headers = list[tuple[str, str]]


def end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    """Remove the headers that concern one connection only."""
    headers = list(headers)
    connection = ",".join(value for name, value in headers if name.lower() == "connection")
    named = {name.strip().lower() for name in connection.split(",")}
    left_out = HOP_BY_HOP | {name for name in named if not ALWAYS_KEPT.fullmatch(name)}
    return [(name, value) for name, value in headers if name.lower() not in left_out]


def below(prefix: str, location: str) -> str:
    """Rewrite a redirect's `location` for the browser: MLflow's paths begin with `prefix` there."""
    if location.startswith(f"{LOCAL_ORIGIN}/"):
        return prefix + location[len(LOCAL_ORIGIN) :]
    is_path = location.startswith("/") and not location.startswith("//")
    return prefix + location if is_path else location


def as_utf8(value: str) -> str:
    """Convert `value`, which tornado reads as Latin-1, for aiohttp, which writes UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def is_own_origin(origin: str, host: str) -> bool:
    """Whether `origin` is that of a page served by `host`."""
    page = ORIGIN.fullmatch(origin.lower())
    if not page:
        return False
    default_port = DEFAULT_PORTS[page["scheme"]]
    return page["host"].removesuffix(default_port) == host.lower().removesuffix(default_port)
