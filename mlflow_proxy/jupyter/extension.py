"""The Jupyter server extension: tells kernels which store to use, gives `/mlflow/` its handler."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from jupyter_server.utils import url_path_join
from jupyter_server_proxy.config import ServerProxy
from tornado.ioloop import PeriodicCallback
from tornado.web import url
from traitlets import TraitError

from .config import settings
from .entry_point import log_file, server_process
from .handler import streaming_handler
from .prestart import schedule

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from .config import MLflowProxy

MIGRATION_INTERVAL = 2000  # milliseconds between looks at whether a file store has been migrated
NAME = "mlflow"  # of the entry point, and so of the route

# A client that finds `_MLFLOW_SERVER_ARTIFACT_ROOT` takes itself for a part of the server and,
# since MLflow 3.17, refuses artifact URIs that name a host. Kernels are clients: they may go
# anywhere.
# https://github.com/mlflow/mlflow/blob/master/mlflow/store/artifact/host_policy.py
HOST_ADDRESSED_SCHEMES = "ftp,sftp,hdfs,viewfs,http,https,mlflow-artifacts,r2,b2,abfss"


def load(server_app: ServerApp) -> None:
    """Set up this Jupyter server; called once, after jupyter-server-proxy was loaded."""
    try:
        config = settings()
    except TraitError as error:
        server_app.log.error("MLflow is not available: %s", error)
        return
    server_app.log.info(
        "MLflow is at %smlflow/, its log will be %s", server_app.base_url, log_file()
    )
    add_route(config, server_app)  # first: MLflow gets the environment that the user gave
    if config.export_tracking_uri:
        export_tracking_uri(config, server_app)


def add_route(config: MLflowProxy, server_app: ServerApp) -> None:
    """Serve `/mlflow/` with the streaming handler, unless Jupyter's configuration says otherwise.

    jupyter-server-proxy has a route of the same address. tornado takes the first that fits, so this
    one goes to the very front: there it wins whoever is loaded first.
    """
    servers = ServerProxy(parent=server_app).servers.values()
    if any(server.name == NAME for server in servers):
        server_app.log.info("c.ServerProxy.servers has an entry %r, which is used as it is", NAME)
        return
    handler, arguments = streaming_handler(NAME, server_process(config))
    address = re.escape(url_path_join(server_app.base_url, NAME))
    route = url(f"{address}/(.*)", handler, arguments)
    server_app.web_app.default_router.rules.insert(0, route)
    if config.prestart:
        schedule(server_app, handler, arguments)


def export_tracking_uri(config: MLflowProxy, server_app: ServerApp) -> None:
    """Put the store into this process's environment, which kernels and terminals inherit."""
    exported = kernel_environment(config, server_app.base_url)
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
    """Tell kernels of the database, once the file store has been migrated into it."""

    def look() -> None:
        if config.unmigrated_file_store is None:
            os.environ["MLFLOW_TRACKING_URI"] = config.backend_store_uri
            migration.stop()

    migration = PeriodicCallback(look, MIGRATION_INTERVAL)
    migration.start()


def kernel_environment(config: MLflowProxy, base_url: str) -> dict[str, str]:
    """What a kernel needs to log into the dashboard's store and keep artifacts where it does.

    Without the artifact root, an experiment that a notebook creates keeps its artifacts in a
    `mlruns` folder beside that notebook. MLflow clients since 3.10 take it from the private
    variable only; there is no public one.

    A file store that has not been migrated stays the kernels' store: they would otherwise create
    the new database that hides it. MLflow refuses it there, and says why, or still uses it.
    """
    file_store = config.unmigrated_file_store
    store = file_store.as_uri() if file_store else config.backend_store_uri
    exported = {"MLFLOW_TRACKING_URI": store}
    if config.registry_store_uri != config.backend_store_uri:
        exported["MLFLOW_REGISTRY_URI"] = config.registry_store_uri
    if not config.backend_store_uri.startswith(("http://", "https://")):
        exported["_MLFLOW_SERVER_ARTIFACT_ROOT"] = config.default_artifact_root
        exported["MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES"] = HOST_ADDRESSED_SCHEMES
        # Where a browser that shows a notebook finds the dashboard: for `mlflow_proxy.notebook`.
        exported["MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL"] = url_path_join(base_url, NAME)
    return exported
