"""What kernels and terminals find in their environment, so that they use the dashboard's store."""

import os

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback

from mlflow_proxy.shared.addresses import DASHBOARD_URL, FRAMES, NAME
from mlflow_proxy.stores import Managed

from . import framing, kernels
from .config import MLflowProxy
from .local_address import LocalAddress, without_proxy

MIGRATION_INTERVAL = 2000  # milliseconds between checks of whether a file store has been migrated

# A client that finds `_MLFLOW_SERVER_ARTIFACT_ROOT` takes itself for a part of the server. Since
# MLflow 3.17 it then refuses artifact URIs that name a host. Kernels are clients and may use any.
# https://github.com/mlflow/mlflow/blob/master/mlflow/store/artifact/host_policy.py
HOST_ADDRESSED_SCHEMES = "ftp,sftp,hdfs,viewfs,http,https,mlflow-artifacts,r2,b2,abfss"


def export(config: MLflowProxy, server_app: ServerApp, address: LocalAddress | None) -> None:
    """Put the store into this process's environment, which kernels and terminals inherit.

    `address` is MLflow's; None: Jupyter's configuration runs MLflow in another way of its own.
    """
    store = store_of_kernels(config)
    chosen = config.normalize_uri(os.environ.get("MLFLOW_TRACKING_URI"))
    if chosen not in ("", store, config.backend_store_uri):
        server_app.log.warning(
            "MLFLOW_TRACKING_URI is set to another store than MLflowProxy.backend_store_uri: "
            "the MLflow dashboard will not show what notebooks log. Unset one of the two."
        )
        return
    if config.normalize_uri(os.environ.get("MLFLOW_REGISTRY_URI")) == config.registry_store_uri:
        del os.environ["MLFLOW_REGISTRY_URI"]  # the normalized one is exported where it is needed
    if address is not None and kernels.use_server(config):
        exported = address_environment(address)
        warn_of_other_credentials(server_app)
    else:
        exported = store_environment(config, store)
        if store != config.backend_store_uri:
            follow_migration(config)
    if address is not None and not config.backend_store.is_remote:
        # For `gateway:/` models; MLflow's server elsewhere has a gateway of its own.
        os.environ.update(without_proxy(os.environ))
        exported["MLFLOW_GATEWAY_URI"] = address.gateway_uri
    os.environ["MLFLOW_TRACKING_URI"] = exported["MLFLOW_TRACKING_URI"]
    if not isinstance(config.backend_store, Managed):  # of which there is no dashboard
        headers = server_app.web_app.settings.get("headers", {})
        exported[DASHBOARD_URL] = url_path_join(server_app.base_url, NAME)
        exported[FRAMES] = "true" if framing.may_frame_itself(headers) else "false"
    for name, value in exported.items():
        if not os.environ.get(name):
            os.environ[name] = value


def store_of_kernels(config: MLflowProxy) -> str:
    """The store that kernels open.

    A file store that has not been migrated remains the kernels' store, because they would otherwise
    create the new database that hides it. MLflow then refuses it and says why, or still uses it.
    """
    file_store = config.unmigrated_file_store
    return file_store.as_uri() if file_store else config.backend_store_uri


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


def address_environment(address: LocalAddress) -> dict[str, str]:
    """What a kernel needs to ask MLflow's server, which has the registry as well."""
    return {"MLFLOW_TRACKING_URI": address.url, "MLFLOW_TRACKING_TOKEN": address.credential}


def warn_of_other_credentials(server_app: ServerApp) -> None:
    """Log a warning if MLflow's client will send the credentials of another server."""
    if found := kernels.other_credentials():
        server_app.log.warning(
            "Kernels cannot use the address of the MLflow dashboard: MLflow's client sends the "
            "credentials that it finds in %s. Remove them, or set c.MLflowProxy.kernels to "
            "'database'.",
            found,
        )


def follow_migration(config: MLflowProxy) -> None:
    """Export the database once the file store has been migrated to it."""

    def export_if_migrated() -> None:
        if config.unmigrated_file_store is None:
            os.environ["MLFLOW_TRACKING_URI"] = config.backend_store_uri
            migration.stop()

    migration = PeriodicCallback(export_if_migrated, MIGRATION_INTERVAL)
    migration.start()
