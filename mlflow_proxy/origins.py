"""Which origins are one's own. Asked by the supervisor and by the MLflow process."""

from __future__ import annotations

import re

ORIGIN = re.compile(rb"(?P<scheme>https?)://(?P<host>[-.\w\[\]:%]+)")
DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


def is_own_origin(origin: bytes, host: bytes) -> bool:
    """Whether `origin` is the one of a page that came from `host`."""
    page = ORIGIN.fullmatch(origin.lower())
    if not page:
        return False
    default_port = DEFAULT_PORTS[page["scheme"]]
    return page["host"].removesuffix(default_port) == host.lower().removesuffix(default_port)
