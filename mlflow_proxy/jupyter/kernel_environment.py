"""What kernels and terminals find in their environment, so that they use the dashboard's store."""

import os

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback

from mlflow_proxy.shared import stores
from mlflow_proxy.shared.addresses import DASHBOARD_URL, FRAMES, NAME

from . import framing
from .config import MLflowProxy

MIGRATION_INTERVAL = 2000  # milliseconds between checks of whether a file store has been migrated

# A client that finds `_MLFLOW_SERVER_ARTIFACT_ROOT` takes itself for a part of the server. Since
# MLflow 3.17 it then refuses artifact URIs that name a host. Kernels are clients and may use any.
# https://github.com/mlflow/mlflow/blob/master/mlflow/store/artifact/host_policy.py
HOST_ADDRESSED_SCHEMES = "ftp,sftp,hdfs,viewfs,http,https,mlflow-artifacts,r2,b2,abfss"


def export(config: MLflowProxy, server_app: ServerApp) -> None:
    """Put the store into this process's environment, which kernels and terminals inherit."""
    exported = kernel_environment(config, server_app.base_url)
    headers = server_app.web_app.settings.get("headers", {})
    exported[FRAMES] = "true" if framing.may_frame_itself(headers) else "false"
    tracking_uri = exported["MLFLOW_TRACKING_URI"]
    if os.environ.get("MLFLOW_TRACKING_URI", tracking_uri) != tracking_uri:
        server_app.log.warning(
            "MLFLOW_TRACKING_URI is set to another store than MLflowProxy.backend_store_uri: "
            "the MLflow dashboard will not show what notebooks log. Unset one of the two."
        )
        return
    for name, value in exported.items():
        os.environ.setdefault(name, value)
    if tracking_uri != config.backend_store_uri:
        follow_migration(config)


def follow_migration(config: MLflowProxy) -> None:
    """Export the database once the file store has been migrated to it."""

    def export_if_migrated() -> None:
        if config.unmigrated_file_store is None:
            os.environ["MLFLOW_TRACKING_URI"] = config.backend_store_uri
            migration.stop()

    migration = PeriodicCallback(export_if_migrated, MIGRATION_INTERVAL)
    migration.start()


def kernel_environment(config: MLflowProxy, base_url: str) -> dict[str, str]:
    """What a kernel needs to log to the dashboard's store and keep artifacts where it does.

    Without the artifact root, an experiment that a notebook creates keeps its artifacts in a
    `mlruns` folder beside that notebook. MLflow clients since 3.10 read it from the private
    variable only; there is no public one.

    A file store that has not been migrated remains the kernels' store, because they would otherwise
    create the new database that hides it. MLflow then refuses it and says why, or still uses it.
    """
    file_store = config.unmigrated_file_store
    store = file_store.as_uri() if file_store else config.backend_store_uri
    exported = {"MLFLOW_TRACKING_URI": store}
    if config.registry_store_uri != config.backend_store_uri:
        exported["MLFLOW_REGISTRY_URI"] = config.registry_store_uri
    if not stores.has_server(config.backend_store_uri):
        exported["_MLFLOW_SERVER_ARTIFACT_ROOT"] = config.default_artifact_root
        exported["MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES"] = HOST_ADDRESSED_SCHEMES
    if not stores.is_managed_service(config.backend_store_uri):  # of which there is no dashboard
        exported[DASHBOARD_URL] = url_path_join(base_url, NAME)
    return exported
