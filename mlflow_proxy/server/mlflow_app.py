"""How MLflow's server is found, configured, loaded and given its stores, which has private names.

`mlflow server` starts itself a second time as a uvicorn worker and passes its options on in private
environment variables. This does the work of both in one process. The public ways, the command line
and `--app-name`, cost a second process of 250 MB and cannot take over a listening socket.

Sources: `server` in mlflow/cli/__init__.py, `_run_server` in mlflow/server/__init__.py. What else
of MLflow is not public stands where it is used; tests/server/test_mlflow_app.py checks it.
"""

import contextlib
import importlib.util
import logging
import os
import re
import sys
import uuid
import warnings
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from mlflow_proxy import sqlite_files
from mlflow_proxy.printable import quoted, quoted_argument
from mlflow_proxy.reports import Step

from .failures import COMMAND, StartError
from .store.settings import StoreSettings

# MLflow has a pool of connections for each kind of store (runs, models, jobs), and SQLAlchemy's
# default for each is 5 that are kept and 10 more, where a database server takes some 100 in all.
# Here one is kept, and three more are open while requests come at once. Source:
# `create_sqlalchemy_engine` in mlflow/store/db/utils.py, which also pings a connection before each
# use, so that a pool outlives a restart of the server. It ignores an overflow of 0.
POOL_BOUNDS = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "1", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "3"}
POOL_CLASS = "MLFLOW_SQLALCHEMYSTORE_POOLCLASS"
# Of each attempt to reach S3. As boto ships, it waits a minute for a connection and another for an
# answer, three times: so long would the dashboard show nothing. There are no variables for them.
S3_CONNECT_TIMEOUT = 5  # seconds
S3_READ_TIMEOUT = 20  # seconds without a byte

OLDEST = (3, 10)  # of MLflow


def find_mlflow() -> Path:
    """Find the folder of this interpreter's MLflow, without importing it.

    Raises:
        StartError: this interpreter has no MLflow, or one that is too old.
    """
    spec = importlib.util.find_spec("mlflow")
    folders = [Path(each) for each in (spec and spec.submodule_search_locations) or ()]
    folder = next((each for each in folders if (each / "server" / "__init__.py").is_file()), None)
    python = quoted(sys.executable)
    install = f"Run:{COMMAND}{quoted_argument(sys.executable)} -m pip install"
    release = _release("mlflow")
    if not release and _release("mlflow-skinny"):  # it has the server's modules, but not its needs
        raise StartError(
            f"Only mlflow-skinny is installed for {python}, without MLflow's server.",
            f"{install} mlflow",
        )
    if folder is None:
        raise StartError(f"MLflow is not installed for {python}.", f"{install} mlflow")
    if release and tuple(map(int, re.findall(r"\d+", release)[:2])) < OLDEST:
        raise StartError(
            f"MLflow {release} of {python} is too old.",
            f'{install} "mlflow>={OLDEST[0]}.{OLDEST[1]}"',
        )
    return folder


def _release(package: str) -> str:
    """The release of `package`; empty if it is not installed."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return ""


def configure(settings: StoreSettings) -> None:
    """Put the settings where MLflow's server reads them; call this before `load`."""
    os.environ.update(
        {
            "_MLFLOW_SERVER_FILE_STORE": settings.backend_store.uri,
            "_MLFLOW_SERVER_REGISTRY_STORE": settings.registry_store.uri,
            # Kernels that open the store need locations that they can use without a server, so root
            # and destination are the same folder then. Experiments of an earlier `mlflow server`,
            # with `mlflow-artifacts:` locations, are served from there as well.
            "_MLFLOW_SERVER_ARTIFACT_ROOT": settings.default_artifact_root,
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": settings.served_artifacts,
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SGI_NAME": "uvicorn",
            "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
            "_MLFLOW_IN_JOB_EXECUTOR": "false",
            # Where they run, `jobs` switches them on.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            # In the user's environment these are meant for a server with a port. Here Jupyter
            # checks the user, and `middleware.security` relies on MLflow's defaults.
            "MLFLOW_SERVER_ALLOWED_HOSTS": "",
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "",
            "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
        }
    )
    bound_pools(settings)
    limit_waiting_for_s3(settings)


def bound_pools(settings: StoreSettings) -> None:
    """Bound MLflow's connections to a database server, unless the user has set any bound."""
    is_set = any(name in os.environ for name in (*POOL_BOUNDS, POOL_CLASS))
    if settings.servers and not is_set:
        os.environ.update(POOL_BOUNDS)


def limit_waiting_for_s3(settings: StoreSettings) -> None:
    """Set the limits if the artifacts are in S3 and boto is installed, which this imports."""
    roots = (settings.default_artifact_root, settings.served_artifacts)
    if not any(root.startswith("s3:") for root in roots) or not importlib.util.find_spec("boto3"):
        return
    import boto3
    import botocore.config
    import botocore.session

    limits = {"connect_timeout": S3_CONNECT_TIMEOUT, "read_timeout": S3_READ_TIMEOUT}
    session = botocore.session.get_session()
    session.set_default_client_config(botocore.config.Config(**limits))
    boto3.setup_default_session(botocore_session=session)


def load() -> Any:
    """Import MLflow's ASGI application: most of the time that a start takes."""
    # A reader of the log cannot do anything about it.
    warnings.filterwarnings("ignore", message="starlette.middleware.wsgi is deprecated")
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app

    from .middleware import artifact_failures  # needs Starlette, which comes with MLflow

    artifact_failures.install(app, flask_app)
    return app


def open_stores(settings: StoreSettings, report: Callable[[Step], None]) -> None:
    """Open the stores as `mlflow server` does, but create SQLite databases atomically.

    `report` gets each step that takes time.

    Raises:
        mlflow.exceptions.MlflowException: MLflow cannot use the store.
    """
    from mlflow.server.handlers import initialize_backend_stores

    create = partial(_create, artifact_root=settings.default_artifact_root)
    for store in settings.files:
        sqlite_files.ensure(store.path, create, report)
    initialize_backend_stores(
        settings.backend_store.uri, settings.registry_store.uri, settings.default_artifact_root
    )


def _create(uri: str, artifact_root: str) -> None:
    """Create a complete MLflow database, default experiment included, at `uri`."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(uri, artifact_root).engine.dispose()


def upgrade_database(uri: str) -> None:
    """Do what `mlflow db upgrade` does, where the URI would be an argument that others can read."""
    from mlflow.store.db import utils

    logging.getLogger("alembic").setLevel(logging.INFO)  # each step; MLflow hides them
    engine = utils.create_sqlalchemy_engine(uri)
    try:
        utils._upgrade_db(engine)
        utils._verify_schema(engine)
    finally:
        engine.dispose()
