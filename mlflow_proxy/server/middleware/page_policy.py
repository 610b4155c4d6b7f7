"""Keeps what is stored in MLflow from running as the dashboard.

MLflow's page has Jupyter's origin, so script in it can start a kernel. MLflow makes links of tags,
also of tags with a `javascript:` address. Under this policy such a link does nothing.
"""

import functools
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.headers import FRAME_OPTIONS

NONCE_BYTES = 16
# Key in the scope: a function that returns the nonce of the page's own scripts. Most responses are
# no page and need none, so it is drawn on the first call.
NONCE = "mlflow_proxy.nonce"
POLICY = "; ".join(
    (
        "default-src 'self'",
        # The page's scripts and what these load. Not 'self': an artifact is a file of this origin.
        "script-src 'nonce-{nonce}' 'strict-dynamic'",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        # Descriptions and traces show pictures, sounds and videos of any host; maps have tiles.
        "img-src * data: blob:",
        "media-src * data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "frame-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)


class PagePolicy:
    """Adds a policy to each HTML page that has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the policy to its response if that is a page."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = functools.cache(lambda: secrets.token_urlsafe(NONCE_BYTES))

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").lower().startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", POLICY.format(nonce=nonce()))
                    headers.setdefault(*FRAME_OPTIONS)
                    headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        await self._app({**scope, NONCE: nonce}, receive, send_with_policy)
