"""What a request passes between the socket and the application: an ASGI middleware a file."""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.types import ASGIApp


def stack(app: ASGIApp, middlewares: Sequence[Middleware]) -> ASGIApp:
    """Put `middlewares` around `app`; a request meets the first one first."""
    for cls, args, kwargs in reversed(middlewares):
        app = cls(app, *args, **kwargs)
    return app
