"""Keeps Jupyter's secrets from MLflow, and what is stored in MLflow from running as Jupyter.

Requests. MLflow refuses host names that are not local (DNS rebinding) and writes from pages of
another origin. Jupyter has checked the Host header, so it is replaced by a local one. The page's
origin is compared here, where the Host is still the browser's. A page of the same host becomes
local; any other gets the origin `null` and cannot write. Jupyter compares the same two headers and,
like this, ignores `X-Forwarded-Host` (jupyter_server/base/handlers.py, `check_origin`).

Responses. MLflow's pages have Jupyter's origin, so script in them can start a kernel. MLflow makes
links of tags, also of tags with a `javascript:` address. Under the policy of pages such a link does
nothing. Artifacts are sent as attachments. The sandbox applies where a browser displays one all the
same. Every response has it but the dashboard's page and static files, because MLflow finds an
artifact under more spellings of its path than a list could name.
"""

import functools
import secrets
from urllib.parse import unquote_plus

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.addresses import ARTIFACT_FRAME, STATIC_FILE
from mlflow_proxy.headers import FRAME_OPTIONS, LOCAL_HOST, LOCAL_ORIGIN, is_own_origin

NO_ORIGIN = "null"  # what browsers send for a page without an origin of its own (RFC 6454, 7.3)
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Jupyter's cookies and tokens. MLflow without an authentication app of its own reads none.
# `Referer` may be an address with Jupyter's token.
CREDENTIALS = (
    "authorization",
    "cookie",
    "proxy-authorization",
    "referer",
    "x-csrftoken",
    "x-xsrftoken",
)
FIELDS = frozenset({"token", "_xsrf"})  # of a query, as Jupyter's handlers read them
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


class Security:
    """Removes secrets, refuses writes from other pages, and adds policies to responses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = MutableHeaders(raw=list(scope["headers"]))
        for name in CREDENTIALS:
            del headers[name]
        make_local(headers)
        is_foreign = headers.get("origin") == NO_ORIGIN
        if is_foreign and scope["type"] == "http" and scope["method"] not in READING:
            # MLflow's words, which it uses for some of its paths; `/graphql` is not among them.
            refusal = PlainTextResponse("Cross-origin request blocked", 403)
            await refusal(scope, receive, send)
            return
        query = without_credentials(scope["query_string"])
        nonce = functools.cache(lambda: secrets.token_urlsafe(NONCE_BYTES))
        scope = {**scope, "headers": headers.raw, "query_string": query, NONCE: nonce}
        await self._app(scope, receive, with_policies(scope, send))


def make_local(headers: MutableHeaders) -> None:
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    headers["host"] = LOCAL_HOST
    if origins:
        is_own = len(origins) == len(hosts) == 1 and is_own_origin(origins[0], hosts[0])
        headers["origin"] = LOCAL_ORIGIN if is_own else NO_ORIGIN


def without_credentials(query: bytes) -> bytes:
    """Remove every field of `FIELDS` from `query`, and leave the others as they are."""
    fields = query.split(b"&")
    return b"&".join(field for field in fields if _name(field) not in FIELDS)


def _name(field: bytes) -> str:
    return unquote_plus(field.partition(b"=")[0].decode("latin-1")).strip()


def with_policies(scope: Scope, send: Send) -> Send:
    """A `send` with the sandbox, or for an HTML page without a policy the policy of pages."""

    async def send_with_policies(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            if not is_trusted(scope):
                headers.append("Content-Security-Policy", SANDBOX)
                headers["X-Content-Type-Options"] = "nosniff"
            if headers.get("content-type", "").lower().startswith("text/html"):
                policy = PAGE_POLICY.format(nonce=scope[NONCE]())
                headers.setdefault("Content-Security-Policy", policy)
                headers.setdefault(*FRAME_OPTIONS)
                headers.setdefault("X-Content-Type-Options", "nosniff")
        await send(message)

    return send_with_policies


def is_trusted(scope: Scope) -> bool:
    """Whether the request is for a page or file of MLflow or of ours, never for stored content."""
    # However a server decodes its path.
    is_static = STATIC_FILE.fullmatch(scope["raw_path"].decode("latin-1")) is not None
    return is_static or scope["path"] in NOT_SANDBOXED
