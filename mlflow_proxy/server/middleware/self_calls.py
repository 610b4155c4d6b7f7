"""Tells MLflow under which address it reaches itself, and that the Assistant's user is local.

Guardrails of the AI Gateway and the Assistant send HTTP requests to the server that they run in.
MLflow takes its address from the request: releases before 3.18 from the Host header, later ones
from the address of the connection. A unix socket has none, so both are those of Jupyter's address
for the user's own processes.

The Assistant runs programs on this machine, as the user of this process. MLflow has no login and
therefore answers its requests only if they come from this machine. Here Jupyter knows the user, who
may start kernels and run any program with them. Jupyter marks the requests of such users. Away from
"localhost", as on a hub, MLflow's page has the Assistant only where the server says so.
"""

import json
import os

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.addresses import ASSISTANT, GATEWAY, MAY_EXECUTE
from mlflow_proxy.server.local_address import USER, LocalAddress

from .artifact_uris import is_api_response
from .rewriting import rewriting

ASSISTANT_CONFIG = f"{ASSISTANT}config"
REMOTE_ASSISTANT = "MLFLOW_ENABLE_REMOTE_ASSISTANT"
OFFERED = "remote_access_allowed"  # a field of its answer, if the release has it
LOOPBACK = "127.0.0.1"
# By one of these, MLflow 3.18 recognizes a request that does not come from this machine.
FORWARDED = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
)


class SelfCalls:
    """Changes the scope of requests for the AI Gateway and the Assistant."""

    def __init__(self, app: ASGIApp, address: LocalAddress) -> None:
        self._app = app
        self._address = address
        self._is_switched_off = os.environ.get(REMOTE_ASSISTANT, "").lower() in ("false", "0")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            # MLflow finds these two by exactly this path.
            if scope["path"].startswith(GATEWAY):
                scope = self._of_gateway(scope)
            elif scope["path"].startswith(ASSISTANT):
                scope = self._of_assistant(scope)
                is_asked = scope["path"] == ASSISTANT_CONFIG
                if is_asked and scope["client"] and not self._is_switched_off:
                    send = rewriting(send, is_api_response, _offering)
        await self._app(scope, receive, send)

    def _of_gateway(self, scope: Scope) -> Scope:
        """Guardrails send no credential of their own, so that it is in the addresses."""
        credential = self._address.gateway_credential
        server = (f"{USER}:{credential}@{LOOPBACK}", self._address.port)
        headers = self._with_own_host(scope)
        return {
            **scope,
            "headers": headers.raw,
            "server": server,
            "app_root_path": f"/{credential}",  # starlette's name for a prefix of `base_url`
        }

    def _of_assistant(self, scope: Scope) -> Scope:
        """The Assistant shows the address to the user and to the model, so it holds no secret."""
        headers = self._with_own_host(scope)
        is_local = headers.get(MAY_EXECUTE) == "true"
        for name in FORWARDED:
            del headers[name]
        client = (LOOPBACK, 0) if is_local else None
        server = (LOOPBACK, self._address.port)
        return {**scope, "headers": headers.raw, "server": server, "client": client}

    def _with_own_host(self, scope: Scope) -> MutableHeaders:
        headers = MutableHeaders(raw=list(scope["headers"]))
        headers["host"] = self._address.authority
        return headers


def _offering(body: bytes) -> bytes:
    """The Assistant's configuration for a user who may use it."""
    try:
        config = json.loads(body)
    except ValueError:
        return body
    if not isinstance(config, dict) or OFFERED not in config:
        return body
    return json.dumps({**config, OFFERED: True}).encode()
