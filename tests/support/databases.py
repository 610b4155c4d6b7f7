"""Databases of other releases of MLflow.

Each is created in a subprocess, because MLflow's imports warn and warnings are errors in tests.
"""

from __future__ import annotations

import os
import subprocess
import sys

from mlflow_proxy.server.mlflow_app import find_mlflow
from mlflow_proxy.server.store.upgrade import Revisions

LATEST = Revisions.read(find_mlflow()).latest
OLDER = "cbc13b556ace"  # of MLflow 3.0; known to all supported releases
NEWER = "f00000000000"

MAKE = """
import sys
from alembic import command
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base

uri, revision = sys.argv[1:]
engine = utils.create_sqlalchemy_engine(uri)
Base.metadata.create_all(engine)
config = utils._get_alembic_config(uri)
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
engine.dispose()
"""


def make_database(uri: str, revision: str) -> None:
    """Create a database at `uri` with the schema `revision`."""
    run(MAKE, uri, revision)


def run(code: str, *arguments: str, **variables: str) -> str:
    """Run `code` in another interpreter; returns its stdout."""
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
