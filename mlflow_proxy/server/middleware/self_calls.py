"""How MLflow, and what it starts, reaches this MLflow: through Jupyter.

Guardrails of the AI Gateway and the Assistant send HTTP requests to the server that they run in.
MLflow takes its address from the request, from the Host header or from the connection. A unix
socket has none, so both are those of Jupyter's address for the user's own processes.

The Assistant runs programs here, and MLflow has no login, so it answers the Assistant's requests
only if they come from this machine. Jupyter marks those of users who may start kernels, and run any
program with them. Away from "localhost", as on a hub, MLflow's page has the Assistant only where
the server says so.
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

import mlflow_proxy
from mlflow_proxy import addresses
from mlflow_proxy.addresses import ASSISTANT, AUTH_PROVIDER, GATEWAY, LOCAL_CREDENTIAL, LOCAL_URL
from mlflow_proxy.notebook import credential
from mlflow_proxy.stores import SERVED_ARTIFACTS

from .bodies import is_api_response, rewriting_json

ASSISTANT_CONFIG = f"{ASSISTANT}config"
REMOTE_ASSISTANT = "MLFLOW_ENABLE_REMOTE_ASSISTANT"
OFFERED = "remote_access_allowed"  # a field of its answer, if the release has it
LOOPBACK = "127.0.0.1"
# MLflow >=3.18: with one of these, a request does not come from this machine.
FORWARDED = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
)
USER = "mlflow"  # any name does; it is only shown


@dataclass(frozen=True)
class OwnAddress:
    """Jupyter's address for the user's own processes, which takes `credential` as a password."""

    url: str
    credential: str

    @classmethod
    def from_environment(cls) -> "OwnAddress | None":
        """Take it out of the environment; None if Jupyter has none."""
        url, credential = os.environ.pop(LOCAL_URL, ""), os.environ.pop(LOCAL_CREDENTIAL, "")
        return cls(url, credential) if url and credential else None

    @property
    def authority(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def gateway_credential(self) -> str:
        """The credential that opens the models of the AI Gateway only."""
        return addresses.gateway_credential(self.credential)

    def export(self, artifact_root: str, folder: Path) -> None:
        """Tell processes that inherit this environment (jobs, the Assistant) how to reach MLflow.

        Jobs open the store themselves, and ask MLflow for models of its gateway and for artifacts
        that only the server can reach. Call this before MLflow is imported; `folder` is private.
        """
        # The client would send these in place of the credential for the address.
        for name in (*addresses.CREDENTIALS, addresses.PASSWORD):
            os.environ.pop(name, None)
        # MLflow's client would send a token or a password to every host that a location names.
        os.environ.update({LOCAL_URL: self.url, LOCAL_CREDENTIAL: self.credential})
        os.environ[addresses.AUTH] = AUTH_PROVIDER
        _provide(folder)
        if not os.environ.get("MLFLOW_GATEWAY_URI"):  # its clients send no credential
            os.environ["MLFLOW_GATEWAY_URI"] = f"http://{self.authority}/{self.gateway_credential}"
        if artifact_root.startswith(SERVED_ARTIFACTS):
            os.environ["MLFLOW_TRACKING_URI"] = self.url


def _provide(folder: Path) -> None:
    """Have MLflow, here and in jobs, know the provider where this package is not installed."""
    distribution = folder / "mlflow_proxy_provider-0.dist-info"
    distribution.mkdir(parents=True, exist_ok=True)
    (distribution / "METADATA").write_text("Name: mlflow-proxy-provider\nVersion: 0\n")
    (distribution / "entry_points.txt").write_text(
        f"[mlflow.request_auth_provider]\n{AUTH_PROVIDER} = {credential.__name__}:OwnAddress\n"
    )
    with contextlib.suppress(FileExistsError):
        (folder / "mlflow_proxy").symlink_to(mlflow_proxy.__path__[0])
    sys.path.append(str(folder))
    paths = (os.environ.get("PYTHONPATH"), str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


class SelfCalls:
    """Changes the scope of requests for the AI Gateway and the Assistant."""

    def __init__(self, app: ASGIApp, address: OwnAddress) -> None:
        self._app = app
        self._address = address
        self._is_switched_off = os.environ.get(REMOTE_ASSISTANT, "").lower() in ("false", "0")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        # MLflow finds these two by exactly this path.
        if path.startswith((GATEWAY, ASSISTANT)):
            headers = MutableHeaders(raw=list(scope["headers"]))
            headers["host"] = self._address.authority
            change = self._of_gateway if path.startswith(GATEWAY) else self._of_assistant
            scope = {**scope, **change(headers), "headers": headers.raw}
        if path == ASSISTANT_CONFIG and scope["client"] and not self._is_switched_off:
            send = rewriting_json(send, is_api_response, _offering)
        await self._app(scope, receive, send)

    def _of_gateway(self, _: MutableHeaders) -> Scope:
        """Guardrails send no credential of their own, so that it is in the addresses."""
        credential = self._address.gateway_credential
        return {
            # MLflow >=3.18: the address of the connection
            "server": (f"{USER}:{credential}@{LOOPBACK}", self._address.port),
            # MLflow <3.18: starlette's `base_url`, of the Host header and this prefix
            "app_root_path": f"/{credential}",
        }

    def _of_assistant(self, headers: MutableHeaders) -> Scope:
        """The Assistant shows the address to the user and to the model, so it holds no secret."""
        is_local = headers.get(addresses.MAY_EXECUTE) == "true"
        for name in FORWARDED:
            del headers[name]
        client = (LOOPBACK, 0) if is_local else None
        return {"server": (LOOPBACK, self._address.port), "client": client}


def _offering(config: Any) -> Any:
    """The Assistant's configuration for a user who may use it."""
    return {**config, OFFERED: True} if OFFERED in config else None


def authorize_assistant(address: OwnAddress) -> None:
    """Have the Assistant send the credential for the gateway at `address`.

    With a model of the AI Gateway, it is a client of its own server, without a credential. Source:
    mlflow/assistant/providers/mlflow_gateway.py.
    """
    try:
        from mlflow.assistant.providers.mlflow_gateway import MlflowGatewayProvider
    except ImportError:  # MLflow <3.11: drives Claude Code only, with MLflow's client's credentials
        return
    headers_of_mlflow = MlflowGatewayProvider._auth_headers
    authorization = {"Authorization": f"Bearer {address.gateway_credential}"}

    def auth_headers(self: MlflowGatewayProvider, api_key: str | None) -> dict[str, str]:
        return {**headers_of_mlflow(self, api_key), **authorization}

    MlflowGatewayProvider._auth_headers = auth_headers
