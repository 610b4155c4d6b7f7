"""Headers on their way through a proxy."""

from __future__ import annotations

from collections.abc import Iterable

# RFC 9110, 7.6.1, and what proxies have always kept to themselves.
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
REDIRECTS = frozenset({301, 302, 303, 307, 308})

MLFLOW = "http://localhost"  # where MLflow takes itself to be

Headers = list[tuple[str, str]]


def end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    """Leave out what concerns one connection only."""
    headers = list(headers)
    connection = ",".join(value for name, value in headers if name.lower() == "connection")
    left_out = HOP_BY_HOP | {name.strip().lower() for name in connection.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in left_out]


def below(prefix: str, location: str) -> str:
    """Where a redirect to `location` leads in the browser: MLflow's begin with `prefix`."""
    if location.startswith(f"{MLFLOW}/"):
        return prefix + location[len(MLFLOW) :]
    is_path = location.startswith("/") and not location.startswith("//")
    return prefix + location if is_path else location


def as_utf8(value: str) -> str:
    """Prepare `value`, which tornado reads as Latin-1, for aiohttp, which writes UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
