"""All that is private to MLflow: how its server is configured, loaded and given its stores.

`mlflow server` starts itself a second time as a uvicorn worker and hands over its options in
environment variables of private names. This does what both do, in one process. The public ways,
the command line and `--app-name`, cost a second process of 250 MB and cannot take over a listening
socket. `tests/server/test_mlflow_app.py` holds every name here against the installed MLflow.

Sources: `server` in mlflow/cli/__init__.py, `_run_server` in mlflow/server/__init__.py.
"""

from __future__ import annotations

import logging
import os
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import sqlite_store
from .settings import StoreSettings, sqlite_path

BACKEND_STORE = "_MLFLOW_SERVER_FILE_STORE"
REGISTRY_STORE = "_MLFLOW_SERVER_REGISTRY_STORE"
ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
ARTIFACT_DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
SERVE_ARTIFACTS = "_MLFLOW_SERVER_SERVE_ARTIFACTS"


def configure(settings: StoreSettings) -> None:
    """Put the settings where MLflow's server looks for them; must come before `load`."""
    os.environ.update(
        {
            BACKEND_STORE: settings.backend_store_uri,
            REGISTRY_STORE: settings.registry_store_uri,
            # Root and destination are one place. An experiment gets a location that a kernel on the
            # same store can use by itself; one that has a `mlflow-artifacts:` location from an
            # earlier `mlflow server` is served from there, too.
            ARTIFACT_ROOT: settings.default_artifact_root,
            ARTIFACT_DESTINATION: settings.default_artifact_root,
            SERVE_ARTIFACTS: "true",
            "_MLFLOW_SGI_NAME": "uvicorn",
            "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
            "_MLFLOW_IN_JOB_EXECUTOR": "false",
            # Jobs (judges, scorers) are processes of their own, eight of them as MLflow ships.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            # These come with the user's environment and are for a server that the world sees. Here
            # Jupyter is the guard, and `middleware.origin` needs MLflow's own defaults behind it.
            "MLFLOW_SERVER_ALLOWED_HOSTS": "",
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "",
            "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
        }
    )


def load() -> Any:
    """Import MLflow's ASGI application: most of the time that a start takes."""
    # It is MLflow's to heed, and nobody who reads the log can do anything about it.
    warnings.filterwarnings("ignore", message="starlette.middleware.wsgi is deprecated")
    from mlflow.server.fastapi_app import app

    return app


def open_stores(settings: StoreSettings, latest_revision: str, tell: Callable[[str], None]) -> None:
    """Open the stores as `mlflow server` does, new SQLite databases in one step.

    `tell` is told what takes time: "create" or "wait".

    Raises:
        mlflow.exceptions.MlflowException: MLflow cannot use the store.
    """
    from mlflow.server.handlers import initialize_backend_stores

    for _, uri in settings.stores():
        if path := sqlite_path(uri):
            sqlite_store.ensure(
                path,
                create=lambda aside: _create(aside, settings.default_artifact_root),
                latest_revision=latest_revision,
                tell=tell,
            )
    initialize_backend_stores(
        settings.backend_store_uri, settings.registry_store_uri, settings.default_artifact_root
    )


def _create(path: Path, artifact_root: str) -> None:
    """Create a complete MLflow database, default experiment included, at `path`."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{path}", artifact_root).engine.dispose()


def upgrade_database(uri: str) -> None:
    """Do what `mlflow db upgrade` does; the URI would be an argument there, for all to read."""
    from mlflow.store.db import utils

    logging.getLogger("alembic").setLevel(logging.INFO)  # each step; MLflow hides them
    engine = utils.create_sqlalchemy_engine(uri)
    try:
        utils._upgrade_db(engine)
        utils._verify_schema(engine)
    finally:
        engine.dispose()
