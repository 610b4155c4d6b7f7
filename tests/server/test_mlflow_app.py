"""The private and unversioned names that the package uses are those of the installed MLflow.

Each check runs in a process of its own, because MLflow's imports warn and warnings are errors here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from starlette.routing import Match

from mlflow_proxy import addresses
from mlflow_proxy.server import routes
from mlflow_proxy.server.middleware.artifact_uris import CLIENTS_API
from mlflow_proxy.server.middleware.pages import SCRIPTS, Pages
from mlflow_proxy.server.mlflow_app import find_mlflow
from support.asgi import Recorder, ask

RELEASE = tuple(int(part) for part in version("mlflow").split(".")[:2])
BUILD = find_mlflow() / "server" / "js" / "build"

# Paths of the clients' API that send artifacts, below `/api/2.0` and the like.
ARTIFACTS = {"/mlflow/logged-models/x/artifacts/files", "/mlflow/get-trace-artifact"}
# Paths with a similar name that send JSON.
JSON_PATHS = {"/mlflow/artifacts/list", "/mlflow/logged-models/x/artifacts/directories"}
# Variables that MLflow 3.10 does not have yet, and 3.17 has.
NEW_VARIABLES = {"_MLFLOW_SERVER_BOOT_ID", "_MLFLOW_IN_JOB_EXECUTOR"}


def run(code: str, *arguments: str) -> str:
    """Run `code` in another interpreter; returns what it prints."""
    code = f"import sys; from mlflow_proxy.server import mlflow_app\n{code}"
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return result.stdout


@pytest.fixture(scope="module")
def paths() -> dict[str, set[str]]:
    """Methods of each path of MLflow's server, with `x` for each variable part."""
    printed = run("""
import json, re
app = mlflow_app.load()
from mlflow.server import app as flask_app
found = [(rule.rule, list(rule.methods)) for rule in flask_app.url_map.iter_rules()]
for path, methods in app.openapi()["paths"].items():
    found.append((path, [method.upper() for method in methods]))
print(json.dumps([(re.sub("<[^>]+>|{[^}]+}", "x", path), methods) for path, methods in found]))
""")
    result: dict[str, set[str]] = {}
    for path, methods in json.loads(printed.splitlines()[-1]):
        result.setdefault(path, set()).update(methods)
    return result


def test_every_request_that_submits_a_job_is_known() -> None:
    """Found by the code of MLflow's handlers, so that a new one is noticed."""
    printed = run("""
import inspect, json
mlflow_app.load()
from mlflow.server import app, job_api
found = []
for rule in app.url_map.iter_rules():
    handler = inspect.getsource(inspect.unwrap(app.view_functions[rule.endpoint]))
    if "submit_job(" in handler or "upsert_online_scoring_config(" in handler:
        found += [(method, rule.rule) for method in rule.methods - {"OPTIONS"}]
found += [
    (method, route.path)
    for route in job_api.job_api_router.routes
    if "submit_job(" in inspect.getsource(route.endpoint)
    for method in route.methods
]
print(json.dumps(found))
""")
    found = json.loads(printed.splitlines()[-1])
    assert len(found) >= 5
    for method, path in found:
        scope = {"type": "http", "method": method, "path": path}
        matches = [route.matches(scope)[0] for route in routes.no_jobs("They are off.")]
        assert Match.FULL in matches, path


def test_the_variables_are_mlflows() -> None:
    run("""
import os
from mlflow.server import constants
from mlflow_proxy.server.store.settings import StoreSettings
mlflow_app.configure(StoreSettings.parse("a", "b", "c", "d"))
assert os.environ[constants.BACKEND_STORE_URI_ENV_VAR] == "a"
assert os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] == "b"
assert os.environ[constants.ARTIFACT_ROOT_ENV_VAR] == "c"
assert os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] == "d"
assert os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] == "true"
""")


def test_every_variable_that_is_set_is_read_by_mlflow() -> None:
    printed = run("""
import json, os
from mlflow import environment_variables
from mlflow.server import constants
from mlflow_proxy.server.store.settings import StoreSettings
known = {getattr(each, "name", None) for each in vars(environment_variables).values()}
known |= {each for each in vars(constants).values() if isinstance(each, str)}
os.environ.clear()
mlflow_app.configure(StoreSettings.parse("a", "b", "c"))
print(json.dumps(sorted(set(os.environ) - known)))
""")
    assert set(json.loads(printed)) <= (NEW_VARIABLES if RELEASE < (3, 17) else set())


def test_the_variables_of_kernels_are_mlflows() -> None:
    run(
        """
from mlflow import environment_variables
from mlflow.tracking._tracking_service import utils
assert utils._SERVER_ARTIFACT_ROOT_ENV_VAR == "_MLFLOW_SERVER_ARTIFACT_ROOT"
assert utils.MLFLOW_TRACKING_URI.name == "MLFLOW_TRACKING_URI"
names = {
    "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES": (3, 17),
    "MLFLOW_ALLOW_FILE_STORE": (3, 13),
    "MLFLOW_REGISTRY_URI": (0, 0),
}
release = tuple(map(int, sys.argv[1:]))
for name, since in names.items():
    assert release < since or getattr(environment_variables, name).name == name
""",
        *map(str, RELEASE),
    )


def test_the_stores_are_opened_as_mlflow_server_does() -> None:
    run("""
from inspect import signature
from mlflow.server.handlers import initialize_backend_stores
names = list(signature(initialize_backend_stores).parameters)[:3]
assert names == ["backend_store_uri", "registry_store_uri", "default_artifact_root"]
""")


def test_the_revisions_are_those_that_alembic_finds() -> None:
    run("""
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import _get_alembic_config
from mlflow_proxy.server.mlflow_app import find_mlflow
from mlflow_proxy.server.store.upgrade import Revisions
script = ScriptDirectory.from_config(_get_alembic_config(""))
revisions = Revisions.read(find_mlflow())
assert revisions.latest == script.get_current_head()
assert revisions.known == {each.revision for each in script.walk_revisions()}
""")


def test_a_new_database_has_the_tables_that_are_read(tmp_path: Path) -> None:
    run(
        """
import sqlite3
from pathlib import Path
from mlflow_proxy.server.mlflow_app import find_mlflow
from mlflow_proxy.server.store import upgrade
from mlflow_proxy.stores import SQLite
from mlflow_proxy import sqlite_files
from mlflow_proxy.server.store.upgrade import Revisions
path, latest = Path(sys.argv[1]), Revisions.read(find_mlflow()).latest
store = SQLite.at(path, path.parent)
mlflow_app._create(store.uri, sys.argv[1])
connection = sqlite3.connect(path)
tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
connection.close()
read = {"alembic_version", "experiments", "runs", "logged_models", "model_versions", "trace_tags"}
assert read <= tables & set(sqlite_files.TABLES), tables
assert sqlite_files.is_complete(path)
assert upgrade._read(store) == (latest, True)
assert upgrade.revision_of(store) == latest
""",
        str(tmp_path / "mlflow.db"),
    )


def test_a_database_is_upgraded_as_mlflow_db_upgrade_does() -> None:
    run("""
from mlflow.store.db import utils
assert callable(utils.create_sqlalchemy_engine)
assert callable(utils._upgrade_db)
assert callable(utils._verify_schema)
""")


def test_mlflow_accepts_the_local_host_and_origin_and_no_others() -> None:
    run(
        """
import os
sys.path.insert(0, sys.argv[1])
from mlflow_proxy.server.store.settings import StoreSettings
from mlflow_proxy.headers import LOCAL_HOST, LOCAL_ORIGIN
from support.asgi import ask
mlflow_app.configure(StoreSettings.parse("sqlite://", "sqlite://", "/"))
app = mlflow_app.load()

def status(host, origin):
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    answer = ask(app, "/api/2.0/mlflow/none", method="POST", headers=headers)
    return answer.status, answer.body

assert status(LOCAL_HOST, LOCAL_ORIGIN)[0] == 404
assert status("hub.example.org", LOCAL_ORIGIN)[0] == 403
assert status(LOCAL_HOST, "https://evil.example") == (403, b"Cross-origin request blocked")
assert status(LOCAL_HOST, "null")[0] == 403
""",
        str(Path(__file__).parents[1]),
    )


def test_the_paths_of_the_rest_api_are_mlflows(paths: dict[str, set[str]]) -> None:
    api = {path for path in paths if path.startswith("/api/") and "mlflow-artifacts" not in path}
    assert len(api) > 100
    known = {path for path in api if CLIENTS_API.fullmatch(path)}
    # MLflow's misspelt path; its requests and responses have no artifact URI.
    others = {"/api/2.0mlflow/experiments/search-datasets"}
    artifacts = {f"/{path.split('/', 3)[3]}" for path in api - known - others}
    assert artifacts <= ARTIFACTS
    named = {path for path in known if "artifact" in path and "GET" in paths[path]}
    assert {f"/{path.split('/', 3)[3]}" for path in named} <= JSON_PATHS


def test_the_other_paths_are_mlflows_and_ours_are_not(paths: dict[str, set[str]]) -> None:
    assert "POST" in paths[addresses.TELEMETRY]
    assert {"GET", "HEAD"} <= paths["/"]
    assert {"GET", "HEAD"} <= paths[f"{addresses.STATIC_FILES}/x"]
    assert not [path for path in paths if path.startswith("/_proxy")]


def test_the_dashboards_page_can_be_changed() -> None:
    page = (BUILD / "index.html").read_bytes()
    assert page.count(b"<head>") == 1
    links = f'src="{addresses.below(addresses.STATIC_FILES)}/'.encode()
    assert links in page  # relative: the page is at `/` below any base URL
    changed = ask(Pages(Recorder(body=page), 60.0), "/").body
    assert changed.index(SCRIPTS.encode()) < changed.index(links)


def test_the_trace_page_can_be_changed() -> None:
    page = (BUILD / addresses.TRACE_PAGE.removeprefix(f"{addresses.STATIC_FILES}/")).read_bytes()
    assert b'<base href="/">' in page
    assert b'src="/static-files/' in page
    changed = ask(Pages(Recorder(body=page), 60.0), addresses.TRACE_PAGE).body
    assert SCRIPTS.encode() in changed
    assert b'<base href="../../../">' in changed
    assert b'src="static-files/' in changed
    assert b'="/' not in changed.replace(SCRIPTS.encode(), b"")


def test_the_notebook_plugin_is_loaded_and_finds_mlflows_names(tmp_path: Path) -> None:
    run(
        """
import os, time
os.chdir(sys.argv[1])
os.environ["MLFLOW_PROXY_DASHBOARD_URL"] = "/mlflow"
os.environ["MLFLOW_PROXY_STORE_URI"] = "http://127.0.0.1:1/mlflow"
import mlflow
from mlflow.entities import RunStatus, TraceInfo
from mlflow.environment_variables import (
    MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
)
from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
from mlflow.tracing.constant import TraceMetadataKey
from mlflow.tracing.display import get_display_handler
from mlflow.tracing.provider import _get_trace_exporter
from mlflow.tracking._tracking_service import utils
from mlflow.tracking.context import registry
from mlflow_proxy.notebook import display
from mlflow_proxy.notebook.plugin import NotebookPlugin
providers = list(registry._run_context_provider_registry)
assert any(isinstance(each, NotebookPlugin) for each in providers)
for uri in ("http://127.0.0.1:1/mlflow", "sqlite://", "postgresql+psycopg2://"):
    builder = utils._tracking_store_registry.get_store_builder(uri)
    assert builder.__module__ == "mlflow_proxy.notebook.own_store"
builtin = utils._tracking_store_registry.get_store_builder("https://")
assert builtin.__module__ == utils.__name__
assert get_display_handler().disabled is False
mlflow.tracing.disable_notebook_display()
assert get_display_handler().disabled is True
assert MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get() is False
assert MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK.get() > 0
assert DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH == "./mlruns"
mlflow.set_tracking_uri(f"sqlite:///{sys.argv[1]}/own.db")
mlflow.trace(lambda: 1)()
assert mlflow.get_last_active_trace_id()
queue = getattr(_get_trace_exporter(), "_async_queue", None)
assert queue or mlflow.__version__.startswith("3.10.")  # MLflow <=3.10: stores them at once
assert queue is None or queue._queue.unfinished_tasks is not None
assert display._wait_for_traces(time.monotonic() + 60)
assert queue is None or queue._queue.unfinished_tasks == 0
assert len(mlflow.search_traces(locations=["0"], return_type="list")) == 1
assert callable(RunStatus.is_terminated)
assert TraceMetadataKey.SOURCE_RUN == display.SOURCE_RUN
""",
        str(tmp_path),
    )


def test_without_the_extension_the_notebook_plugin_changes_nothing() -> None:
    run("""
import mlflow
from mlflow.tracking._tracking_service import utils
for uri in ("http://127.0.0.1:1/mlflow", "sqlite://"):
    assert utils._tracking_store_registry.get_store_builder(uri).__module__ == utils.__name__
""")
