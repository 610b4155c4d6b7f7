"""How kernels reach the store, by `c.MLflowProxy.kernels`: they open it, or ask MLflow's server."""

import contextlib
import os
import sqlite3
from pathlib import Path

from mlflow_proxy.stores import SERVED_ARTIFACTS, SQLite

from .config import MLflowProxy

# What MLflow's client would send in place of the credential that it finds for the dashboard.
OTHER_CREDENTIALS = (
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
)
CREDENTIALS_FILE = "~/.mlflow/credentials"
TIMEOUT = 1.0  # seconds to wait for a database that another program writes
SERVED = "SELECT 1 FROM experiments WHERE artifact_location LIKE ? LIMIT 1"


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


def _holds_served_artifacts(database: Path) -> bool:
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT)
        with contextlib.closing(connection):
            return bool(connection.execute(SERVED, (f"{SERVED_ARTIFACTS}%",)).fetchone())
    return False  # it is new, or the page says what is wrong with it


def other_credentials() -> str:
    """The variable or file with credentials for another server; empty if there is none."""
    found = [name for name in OTHER_CREDENTIALS if os.environ.get(name)]
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
    return variables.get("MLFLOW_ARTIFACTS_DESTINATION") or str(config.root_dir / "mlartifacts")
