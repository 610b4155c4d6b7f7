"""What kernels and terminals find in their environment, so that they use the dashboard's store."""

import contextlib
import functools
import os
import sqlite3
from concurrent import futures
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_server.serverapp import ServerApp

from . import addresses, sqlite_files
from .config import MLflowProxy
from .stores import SERVED_ARTIFACTS, Managed, SQLite, folder_location
from .web.local_address import LocalAddress, without_proxy

# A client that finds `_MLFLOW_SERVER_ARTIFACT_ROOT` takes itself for a part of the server. Since
# MLflow 3.17 it then refuses artifact URIs that name a host. Kernels are clients and may use any.
# https://github.com/mlflow/mlflow/blob/master/mlflow/store/artifact/host_policy.py
HOST_ADDRESSED_SCHEMES = "ftp,sftp,hdfs,viewfs,http,https,mlflow-artifacts,r2,b2,abfss"
# Variables that kernels get, and that MLflow's process would take for the admin's.
FOR_KERNELS_ONLY = (
    "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES",
    "MLFLOW_GATEWAY_URI",
    "MLFLOW_TRACKING_TOKEN",
)
CREDENTIALS_FILE = "~/.mlflow/credentials"
TIMEOUT = 1.0  # seconds to wait for a database, and then for its answer
SERVED = "SELECT 1 FROM experiments WHERE artifact_location LIKE ? LIMIT 1"

CREDENTIALS_WARNING = (
    "Kernels cannot use the address of the MLflow dashboard: MLflow's client sends the credentials "
    "that it finds in %s. Remove them, or set c.MLflowProxy.kernels to 'database'."
)
GATEWAY_WARNING = (
    "Kernels run on the gateway of c.GatewayClient.url, and get none of this server's environment. "
    "The MLflow dashboard will not show what notebooks log, unless MLFLOW_TRACKING_URI is set for "
    "the gateway's kernels, to a store that both can reach. Set it on the gateway; or name it in "
    "c.GatewayClient.allowed_envs here and in KG_ENV_WHITELIST or EG_CLIENT_ENVS there."
)


def export(config: MLflowProxy, server_app: ServerApp, address: LocalAddress) -> None:
    """Put the store into this process's environment, which kernels and terminals inherit."""
    if server_app.gateway_config.gateway_enabled:
        server_app.log.warning(GATEWAY_WARNING)
    store = clients_uri(config)
    chosen = config.normalize_uri(os.environ.get("MLFLOW_TRACKING_URI"))
    if chosen not in ("", store, config.backend_store_uri):
        server_app.log.warning(
            "MLFLOW_TRACKING_URI is set to another store than MLflowProxy.backend_store_uri: "
            "the MLflow dashboard will not show what notebooks log. Unset one of the two."
        )
        return
    if config.normalize_uri(os.environ.get("MLFLOW_REGISTRY_URI")) == config.registry_store_uri:
        del os.environ["MLFLOW_REGISTRY_URI"]  # the normalized one is exported where it is needed
    if use_server(config):
        # Where the kernel has this package, `notebook/credential.py` takes the token away.
        token = {"MLFLOW_TRACKING_TOKEN": address.credential}
        exported = {"MLFLOW_TRACKING_URI": address.url, **token, **address.variables}
        if found := other_credentials():
            server_app.log.warning(CREDENTIALS_WARNING, found)
    else:
        exported = store_environment(config, store)
    if not config.backend_store.is_remote:
        # For `gateway:/` models; MLflow's server elsewhere has a gateway of its own.
        exported["MLFLOW_GATEWAY_URI"] = address.gateway_uri
    os.environ.update(without_proxy(os.environ))
    store = os.environ["MLFLOW_TRACKING_URI"] = exported["MLFLOW_TRACKING_URI"]
    exported[addresses.STORE_URI] = store
    exported[addresses.LOG_NOTEBOOK] = str(config.log_notebook or "")
    if not isinstance(config.backend_store, Managed):  # of which there is no dashboard
        exported[addresses.DASHBOARD_URL] = address.path
        exported[addresses.FRAMES] = "true" if address.life.status.may_frame else "false"
    for name, value in exported.items():
        # Ours may be those of a Jupyter server in whose terminal this one runs.
        if name.startswith(addresses.OWN_VARIABLES) or not os.environ.get(name):
            os.environ[name] = value


def clients_uri(config: MLflowProxy) -> str:
    """The store's URI for MLflow's clients, which may be another one of the same tracking server.

    With `--static-prefix`, older releases have the dashboard below the prefix, and the API at the
    root: `MLFLOW_TRACKING_URI` then names the root, and `backend_store_uri` the dashboard.
    """
    chosen = config.normalize_uri(os.environ.get("MLFLOW_TRACKING_URI")).rstrip("/")
    is_above = chosen.startswith("http") and config.backend_store_uri.startswith(f"{chosen}/")
    return chosen if is_above and urlsplit(chosen).netloc else config.backend_store_uri


def store_environment(config: MLflowProxy, store: str) -> dict[str, str]:
    """What a kernel needs to log to `store` and keep artifacts where the dashboard does.

    Without the artifact root, an experiment that a notebook creates keeps its artifacts in a
    `mlruns` folder beside that notebook. MLflow clients since 3.10 read it from the private
    variable only; there is no public one.
    """
    exported = {"MLFLOW_TRACKING_URI": store}
    if config.registry_store_uri != config.backend_store_uri:
        exported["MLFLOW_REGISTRY_URI"] = config.registry_store_uri
    if not config.backend_store.is_remote:
        exported["_MLFLOW_SERVER_ARTIFACT_ROOT"] = config.default_artifact_root
        exported["MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES"] = HOST_ADDRESSED_SCHEMES
    return exported


def use_server(config: MLflowProxy) -> bool:
    """Whether kernels ask MLflow's server, behind an address of this Jupyter server."""
    if config.backend_store.is_remote:  # of its own, which kernels ask directly
        return False
    if config.kernels == "auto":
        return _needs_server(config) and not other_credentials()
    return bool(config.kernels == "server")


def _needs_server(config: MLflowProxy) -> bool:
    """Whether there are artifacts that only MLflow's server can reach."""
    if config.default_artifact_root.startswith(SERVED_ARTIFACTS):
        return True
    store = config.backend_store
    return isinstance(store, SQLite) and _holds_served_artifacts(store.path)


@functools.cache  # kernels and MLflow are started by the same answer
def _holds_served_artifacts(database: Path) -> bool:
    # SQLAlchemy would cost every Jupyter server 0.2 s at its start, and 29 MB.
    def find() -> bool:
        with contextlib.closing(sqlite_files.connect(database, seconds=TIMEOUT)) as connection:
            return bool(connection.execute(SERVED, (f"{SERVED_ARTIFACTS}%",)).fetchone())

    with contextlib.suppress(sqlite3.Error, futures.TimeoutError):
        # In a thread: a file system that does not answer must not keep Jupyter from starting.
        return sqlite_files.within(2 * TIMEOUT, find)
    return False  # it is new, or the page says what is wrong with it


def other_credentials() -> str:
    """The variable or file whose credentials MLflow's client would send in place of ours; or ""."""
    found = [name for name in addresses.CREDENTIALS if os.environ.get(name)]
    file = Path(CREDENTIALS_FILE).expanduser()
    return found[0] if found else CREDENTIALS_FILE if file.exists() else ""


def artifact_root(config: MLflowProxy) -> str:
    """Where new experiments keep artifacts.

    A folder of this machine is named by the server alone if kernels ask it. The experiments then
    survive a move of the folder.
    """
    root = config.default_artifact_root
    is_elsewhere = "://" in root and not root.startswith("file:")
    return root if is_elsewhere or not use_server(config) else f"{SERVED_ARTIFACTS}/"


def artifacts_destination(config: MLflowProxy) -> str:
    """Where the server keeps the artifacts that only it can reach."""
    root = config.default_artifact_root
    if not root.startswith(SERVED_ARTIFACTS):
        return root
    variables = {**os.environ, **config.environment}
    default = folder_location(config.root_dir / "mlartifacts")
    return variables.get("MLFLOW_ARTIFACTS_DESTINATION") or default
