"""Header handling and limits that every HTTP proxy needs."""

import re
from collections.abc import Iterable

# RFC 9110, 7.6.1, and the older hop-by-hop headers of RFC 2616, 13.5.1.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Without them a request would pass as one that no browser's page has sent.
ALWAYS_KEPT = re.compile(r"host|origin|referer|sec-fetch-\w+|content-\w+")
REDIRECTS = frozenset({301, 302, 303, 307, 308})

FRAME_OPTIONS = ("X-Frame-Options", "SAMEORIGIN")
"""Of pages and static files. Jupyter's extension replaces it by Jupyter's own policy."""

KEEP_ALIVE = 3.0
"""Seconds without a request after which Jupyter closes a connection; MLflow would do so later."""

MAX_DISCARDED = 16 << 20
"""Bytes of a body that a client may still send although they are not used."""

MAX_BUFFERED = 1 << 20
"""Bytes of a response that is sent only once it is complete."""

MLFLOW = "http://localhost"  # the origin that MLflow sees, see server/middleware/local_request.py

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
    if location.startswith(f"{MLFLOW}/"):
        return prefix + location[len(MLFLOW) :]
    is_path = location.startswith("/") and not location.startswith("//")
    return prefix + location if is_path else location


def as_utf8(value: str) -> str:
    """Convert `value`, which tornado reads as Latin-1, for aiohttp, which writes UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
