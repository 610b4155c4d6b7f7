"""The private names of MLflow that the package uses are those of the installed MLflow.

In processes of their own: what MLflow imports warns, and warnings are errors here.
"""

from __future__ import annotations

import subprocess
import sys


def check(code: str) -> None:
    subprocess.run(
        [sys.executable, "-c", f"from mlflow_proxy.server import mlflow_app\n{code}"], check=True
    )


def test_the_variables_are_mlflows() -> None:
    check("""
from mlflow.server import constants
assert constants.BACKEND_STORE_URI_ENV_VAR == mlflow_app.BACKEND_STORE
assert constants.REGISTRY_STORE_URI_ENV_VAR == mlflow_app.REGISTRY_STORE
assert constants.ARTIFACT_ROOT_ENV_VAR == mlflow_app.ARTIFACT_ROOT
assert constants.ARTIFACTS_DESTINATION_ENV_VAR == mlflow_app.ARTIFACT_DESTINATION
assert constants.SERVE_ARTIFACTS_ENV_VAR == mlflow_app.SERVE_ARTIFACTS
""")


def test_the_artifact_root_of_kernels_is_mlflows() -> None:
    check("""
from mlflow.tracking._tracking_service import utils
assert utils._SERVER_ARTIFACT_ROOT_ENV_VAR == mlflow_app.ARTIFACT_ROOT
""")


def test_the_stores_are_opened_as_mlflow_server_does() -> None:
    check("""
from inspect import signature
from mlflow.server.handlers import initialize_backend_stores
names = list(signature(initialize_backend_stores).parameters)[:3]
assert names == ["backend_store_uri", "registry_store_uri", "default_artifact_root"]
""")


def test_the_revisions_are_those_that_alembic_finds() -> None:
    check("""
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow_proxy.server.local import find_mlflow
from mlflow_proxy.server.store.revisions import Revisions
script = ScriptDirectory.from_config(_get_alembic_config(""))
revisions = Revisions.of(find_mlflow())
assert revisions.latest == script.get_current_head()
assert revisions.known == {each.revision for each in script.walk_revisions()}
""")


def test_a_database_is_upgraded_as_mlflow_db_upgrade_does() -> None:
    check("""
from mlflow.store.db import utils
assert callable(utils.create_sqlalchemy_engine)
assert callable(utils._upgrade_db)
assert callable(utils._verify_schema)
""")
