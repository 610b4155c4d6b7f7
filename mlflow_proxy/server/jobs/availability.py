"""Where MLflow's jobs cannot run, and why."""

import os

from mlflow_proxy.server.store.settings import StoreSettings
from mlflow_proxy.shared.stores import database_server, sqlite_path

from . import mlflow_jobs

SETTING = "c.MLflowProxy.job_execution"


def why_not(settings: StoreSettings, is_wanted: bool) -> str:
    """Why jobs do not run here, for a person; empty if they do. MLflow must have been loaded."""
    if not is_wanted:
        return (
            "MLflow's background jobs are switched off in this Jupyter: set "
            f"{SETTING} = True in its configuration and restart it."
        )
    if not is_database(settings.backend_store_uri):
        return (
            "MLflow's background jobs need a database, and c.MLflowProxy.backend_store_uri names a "
            f"folder ({SETTING} has no effect)."
        )
    if os.environ.get(mlflow_jobs.WORKSPACES, "").lower() in ("true", "1"):
        return f"MLflow's background jobs ({SETTING}) do not run with {mlflow_jobs.WORKSPACES}."
    if not mlflow_jobs.are_supported():
        from mlflow.version import VERSION

        return f"The background jobs of MLflow {VERSION} cannot be run here ({SETTING})."
    return ""


def is_database(uri: str) -> bool:
    """Whether `uri` is that of a database."""
    return sqlite_path(uri) is not None or database_server(uri) != ""
