"""Which origins are one's own; for the supervisor and the MLflow process."""

import re

ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[-.\w\[\]:%]+)", re.ASCII)
LOCAL_HOST = "localhost"  # what MLflow accepts, without a configuration
LOCAL_ORIGIN = f"http://{LOCAL_HOST}"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def is_own_origin(origin: str, host: str) -> bool:
    """Whether `origin` is that of a page served by `host`."""
    page = ORIGIN.fullmatch(origin.lower())
    if not page:
        return False
    default_port = DEFAULT_PORTS[page["scheme"]]
    return page["host"].removesuffix(default_port) == host.lower().removesuffix(default_port)
