"""Keeps what is stored in MLflow from running as the dashboard.

MLflow's pages have Jupyter's origin, so script in them can start a kernel. MLflow makes links of
tags, also of tags with a `javascript:` address. Under the policy of pages such a link does nothing.

Artifacts are sent as attachments. The sandbox applies where a browser displays one all the same.
Every response has it but the dashboard's page and static files, because MLflow finds an artifact
under more spellings of its path than a list could name.
"""

import functools
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.addresses import ARTIFACT_FRAME, STATIC_FILE
from mlflow_proxy.headers import FRAME_OPTIONS

NONCE_BYTES = 16
# Key in the scope: a function that returns the nonce of the page's own scripts. Most responses are
# no page and need none, so it is drawn on the first call.
NONCE = "mlflow_proxy.nonce"
PAGE_POLICY = "; ".join(
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
SANDBOX = (
    "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"
)
NOT_SANDBOXED = ("/", ARTIFACT_FRAME)  # the latter has a policy of its own


class Policies:
    """Adds the sandbox to responses, and the policy of pages to each HTML page without a policy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = functools.cache(lambda: secrets.token_urlsafe(NONCE_BYTES))

        async def send_with_policies(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                if not is_trusted(scope):
                    headers.append("Content-Security-Policy", SANDBOX)
                    headers["X-Content-Type-Options"] = "nosniff"
                if headers.get("content-type", "").lower().startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", PAGE_POLICY.format(nonce=nonce()))
                    headers.setdefault(*FRAME_OPTIONS)
                    headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        await self._app({**scope, NONCE: nonce}, receive, send_with_policies)


def is_trusted(scope: Scope) -> bool:
    """Whether the request is for a page or file of MLflow or of ours, never for stored content."""
    # However a server decodes its path.
    is_static = STATIC_FILE.fullmatch(scope["raw_path"].decode("latin-1")) is not None
    return is_static or scope["path"] in NOT_SANDBOXED
