"""The commands for missing and old packages, run as the page shows them, until MLflow starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from support.environments import TIMEOUT, UV
from support.postgres import postgres_server
from support.remedies import follow
from support.s3 import BUCKET, s3_server
from support.server import JSON, Server, jupyter_server, mlflow_of, settings_of
from support.wire import wire_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Debian's servers")

CURRENT, OLDEST, TOO_OLD = version("mlflow"), "3.10.0", "2.22.1"
# What the commands install, and what needs it.
OWN = re.compile("mlflow|jupyter_mlflow_proxy|boto3|psycopg|pymysql", re.IGNORECASE)
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# Bytecode of what is imported once would take longer than the import.
PIP = {**os.environ, "PIP_NO_COMPILE": "1"}


class Environment:
    """A virtual environment with pip and what MLflow needs of the tests' own, but without `OWN`."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        (site,) = (folder / "lib").glob("*/site-packages")
        self._links = folder / "links"
        self._links.mkdir()
        for each in Path(sysconfig.get_path("purelib")).iterdir():
            if not OWN.match(each.name):
                (self._links / each.name).symlink_to(each)
        (site / "links.pth").write_text(str(self._links))

    def hide(self, package: str) -> None:
        """Hide one of the tests' own packages."""
        for each in [*self._links.glob(package), *self._links.glob(f"{package}-*")]:
            each.unlink()

    def install(self, *requirements: str) -> None:
        """Install exactly these packages."""
        command = [str(UV), "pip", "install", "-q", "--no-deps", "--python", str(self.python)]
        subprocess.run([*command, *requirements], check=True, timeout=TIMEOUT)

    def remove(self, *packages: str) -> None:
        """Remove packages that may be installed."""
        command = [str(UV), "pip", "uninstall", "-q", "--python", str(self.python)]
        subprocess.run([*command, *packages], check=True, timeout=TIMEOUT)

    def follow(self, jupyter: Server, reason: str, arguments: str) -> None:
        """Wait for the failure `reason`, run its `pip install` with `arguments`, and try again."""
        told = jupyter.wait_until("failed")
        assert reason in told["reason"]
        command = follow(told["remedy"], PIP)
        assert command == f"'{self.python}' -m pip install {arguments}"
        jupyter.try_again()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment whose path has a blank; each test installs what it begins with."""
    return Environment(tmp_path_factory.mktemp("remedies") / "an environment")


def mlflow(release: str) -> tuple[str, ...]:
    """The packages of MLflow's `release`."""
    return tuple(f"{name}=={release}" for name in ("mlflow", "mlflow-skinny", "mlflow-tracing"))


def test_what_is_missing_is_installed_one_after_the_other(
    tmp_path: Path, environment: Environment
) -> None:
    environment.remove("mlflow", "mlflow-skinny", "mlflow-tracing", "PyMySQL")
    uri = "mysql://me:hunter2@127.0.0.1:1/team"  # no server
    store = {"MLFLOW_BACKEND_STORE_URI": uri}
    with mlflow_of(tmp_path, python=environment.python, **store) as jupyter:
        environment.follow(jupyter, "MLflow is not installed for", "mlflow")
        assert "MySQLdb is missing" in jupyter.wait_until("failed")["reason"]
        environment.remove("mlflow")
        jupyter.try_again()
        environment.follow(jupyter, "Only mlflow-skinny is installed for", "mlflow")
        environment.follow(jupyter, "MySQLdb is missing", "PyMySQL")  # which needs no compiler
        told = jupyter.wait_until("failed")["remedy"]
        assert "Then write mysql+pymysql:// in place of mysql:// in the store's URI" in told
    store["MLFLOW_BACKEND_STORE_URI"] = uri.replace("mysql:", "mysql+pymysql:")
    with mlflow_of(tmp_path, python=environment.python, **store) as jupyter:
        assert jupyter.wait_until("failed")["reason"].endswith("cannot be reached.")


def test_what_showing_a_tracking_server_needs_is_installed(
    tmp_path: Path, environment: Environment
) -> None:
    environment.hide("aiohttp")
    with (
        wire_server() as server,
        mlflow_of(
            tmp_path, python=environment.python, MLFLOW_BACKEND_STORE_URI=server.url
        ) as jupyter,
    ):
        environment.follow(jupyter, "the module aiohttp cannot be imported", "aiohttp")
        jupyter.wait_until("ready")


def test_an_older_mlflow_opens_its_own_database_still(
    tmp_path: Path, environment: Environment
) -> None:
    environment.install(*mlflow(OLDEST))
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    create = [environment.python, "-c", "import mlflow; mlflow.search_experiments()"]
    subprocess.run(create, env={**os.environ, **store}, cwd=tmp_path, check=True)
    with mlflow_of(tmp_path, options=["--allow-upgrade=false"]) as jupyter:
        told = jupyter.wait_until("failed")
        assert "was made by an older MLflow" in told["reason"]
        assert "use the MLflow that you had (c.MLflowProxy.python names " in told["remedy"]
    with mlflow_of(tmp_path, python=environment.python) as jupyter:
        jupyter.wait_until("ready")
        assert jupyter.request("/version")[2] == OLDEST


def test_a_newer_mlflow_opens_a_newer_database(
    tmp_path: Path, environment: Environment, new_database: Path
) -> None:
    environment.install(*mlflow(OLDEST))
    shutil.copy(new_database, tmp_path)
    with mlflow_of(tmp_path, python=environment.python) as jupyter:
        environment.follow(jupyter, "is of a newer MLflow than this one.", "--upgrade mlflow")
        jupyter.wait_until("ready")
        assert jupyter.request("/version")[2] != OLDEST


def test_a_team_store_gets_a_newer_mlflow_its_drivers_and_keys(
    tmp_path: Path, environment: Environment
) -> None:
    environment.remove("psycopg", "psycopg-binary", "boto3")
    environment.install(*mlflow(TOO_OLD)[:2])
    with postgres_server() as postgres, s3_server(tmp_path) as s3:
        postgres.run("createdb", "team")
        keys = {name: s3.variables[name] for name in KEYS}
        store = {
            **{name: value for name, value in s3.variables.items() if name not in KEYS},
            "AWS_EC2_METADATA_DISABLED": "true",
            "MLFLOW_BACKEND_STORE_URI": postgres.uri("team"),
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"s3://{BUCKET}/mlflow",
        }
        with mlflow_of(tmp_path, python=environment.python, **store) as jupyter:
            environment.follow(jupyter, f"MLflow {TOO_OLD} of ", '"mlflow>=3.10"')
            environment.follow(jupyter, "psycopg cannot be imported", "'psycopg[binary]'")
            jupyter.wait_until("ready")
            assert postgres.query("team", "SELECT name FROM experiments") == "Default"

            path, body = "/api/2.0/mlflow/runs/create", '{"experiment_id": "0"}'
            run = json.loads(jupyter.request(path, "POST", JSON, body)[2])["run"]["info"]["run_id"]
            listing = f"/ajax-api/2.0/mlflow/artifacts/list?run_id={run}"
            told = json.loads(jupyter.request(listing)[2])["message"]
            assert follow(told, PIP).endswith("/python' -m pip install boto3")
            told = json.loads(jupyter.request(listing)[2])["message"]
        assert "Unable to locate credentials" in told
        assert "in c.MLflowProxy.environment for MLflow alone, and restart Jupyter" in told
        named = {name: keys[name] for name in keys if name in told}
        settings = {"python": str(environment.python), "environment": named}
        (home := tmp_path / "restarted").mkdir()
        with jupyter_server(home, settings_of(settings), root=tmp_path, env=store) as jupyter:
            jupyter.start()
            jupyter.wait_until("ready")
            status, _, body = jupyter.request(listing)
            assert (status, json.loads(body)["root_uri"][:5]) == (200, "s3://")
