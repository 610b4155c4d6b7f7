"""Opens the dashboard's store for MLflow's client in this process.

MLflow has a public entry point for stores, `mlflow.tracking_store`. But it also replaces the stores
of every `mlflow server` of the environment. The registry that MLflow's client asks has no public
name.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from mlflow_proxy import sqlite_files
from mlflow_proxy.stores import SQLite, Store

from .cell_log import CellLog, RecordedStore

Build = Callable[..., Any]


def register(own: str, log: CellLog | None) -> None:
    """Have MLflow's client open the store `own` by this module, and record in `log` what it logs.

    Any other store remains as it would be without this package.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry as registry
    from mlflow.utils.uri import get_uri_scheme

    own_scheme = get_uri_scheme(own)  # "postgresql" for each of its drivers
    for scheme in {own_scheme, *DATABASE_ENGINES}:
        with contextlib.suppress(MlflowException):  # mlflow-skinny knows no database
            build = registry.get_store_builder(own if scheme == own_scheme else f"{scheme}://")
            registry.register(scheme, _builder(build, own, log))


def _builder(build: Build, own: str, log: CellLog | None) -> Build:
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH

    def build_store(store_uri: str, artifact_uri: str | None = None, **options: Any) -> Any:
        store = Store.parse(store_uri)
        if store_uri == own:
            if isinstance(store, SQLite):
                # Atomically: the MLflow process or another kernel may create it as well.
                sqlite_files.ensure(
                    store.path,
                    lambda uri: build(store_uri=uri, artifact_uri=artifact_uri).engine.dispose(),
                    report=lambda _step: None,
                )
            opened = build(store_uri=store_uri, artifact_uri=artifact_uri, **options)
            return RecordedStore(opened, log) if log else opened
        if not store.is_remote:
            # The environment has the root of the dashboard's store, whose experiments have the same
            # numbers.
            artifact_uri = artifact_uri or str(DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)
        return build(store_uri=store_uri, artifact_uri=artifact_uri, **options)

    return build_store
