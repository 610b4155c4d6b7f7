"""The entry point describes MLflow in terms that jupyter-server-proxy knows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

import pytest
from jupyter_server_proxy.config import LauncherEntry, ServerProcess

import mlflow_proxy
from mlflow_proxy import addresses, plugin, process
from mlflow_proxy.config import MLflowProxy
from mlflow_proxy.process import jupyters_variables
from mlflow_proxy.server.jobs.mlflow_jobs import why_not
from mlflow_proxy.server.store.settings import StoreSettings

ENTRY = mlflow_proxy.setup_mlflow()


def test_the_tested_package_is_the_installed_one() -> None:
    assert "site-packages" in Path(mlflow_proxy.__file__).parts


def test_the_entry_point_is_named_mlflow() -> None:
    (found,) = (e for e in entry_points(group="jupyter_serverproxy_servers") if e.name == "mlflow")
    assert found.load() is mlflow_proxy.setup_mlflow


def test_jupyter_server_proxy_knows_every_key() -> None:
    assert set(ENTRY) <= set(ServerProcess.class_trait_names())
    assert set(ENTRY["launcher_entry"]) <= set(LauncherEntry.class_trait_names())


def test_the_icon_is_installed() -> None:
    assert Path(ENTRY["launcher_entry"]["icon_path"]).read_text().startswith("<svg")


def test_braces_in_settings_survive_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    config = MLflowProxy(
        root_dir="/work/{unix_socket}",
        backend_store_uri="postgresql://me:{secret}@host/db",
        environment={"JSON": '{"a": {}}'},
    )
    monkeypatch.setattr(plugin, "settings", lambda: config)
    entry = plugin.server_process()
    known = {"unix_socket": "/socket", "port": 0, "base_url": "/"}
    command = [part.format(**known) for part in entry["command"]]
    environment = {k.format(**known): v.format(**known) for k, v in entry["environment"].items()}
    assert "--unix-socket=/socket" in command
    assert "--root-dir=/work/{unix_socket}" in command
    assert environment["JSON"] == '{"a": {}}'
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://me:{secret}@host/db"


def test_the_socket_is_in_a_private_folder_whose_path_is_short_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = Path(process.make_socket_folder())
    try:
        assert folder.parent == Path("/tmp")
        assert folder.name.startswith("jupyter-server-proxy-")
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        folder.rmdir()


def test_describing_the_process_makes_no_folder() -> None:
    code = "import mlflow_proxy; assert mlflow_proxy.setup_mlflow()['unix_socket'] is True"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TMPDIR": folder}
        subprocess.run([sys.executable, "-c", code], cwd="/", env=environment, check=True)
        assert not list(Path(folder).iterdir())


def test_no_secret_is_in_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    config = MLflowProxy(
        backend_store_uri="postgresql://me:hunter2@host/db", environment={"KEY": "hunter2"}
    )
    monkeypatch.setattr(plugin, "settings", lambda: config)
    assert "hunter2" not in " ".join(plugin.server_process()["command"])


@pytest.mark.parametrize(
    "module",
    [
        "mlflow_proxy",
        "mlflow_proxy.plugin",
        "mlflow_proxy.life",
        "mlflow_proxy.server.cli",
    ],
)
def test_importing_imports_no_mlflow(module: str, tmp_path: Path) -> None:
    code = f"import {module}, sys; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_the_entry_imports_no_mlflow(tmp_path: Path) -> None:
    code = "import mlflow_proxy as m, sys; m.setup_mlflow(); assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


class Address:
    """An address that jobs may use."""

    credential = "the-credential"
    variables: ClassVar = {addresses.LOCAL_CREDENTIAL: credential}


@pytest.mark.parametrize(
    ("settings", "runs", "has_address"),
    [
        ({}, True, True),
        ({"job_execution": False}, False, True),  # the AI Gateway and the Assistant use it, too
        # A tracking server elsewhere runs its own jobs; the MLflow process ignores the option.
        ({"backend_store_uri": "https://mlflow.example.org"}, True, False),
    ],
)
def test_jobs_get_the_address_in_the_environment_alone(
    settings: dict[str, object], runs: bool, has_address: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    config = MLflowProxy(**settings)
    command = plugin.server_process(config)["command"]
    assert ("--job-execution" in command) is runs
    assert not [part for part in command if Address.credential in part]
    environment = plugin.address_environment(config, Address())
    assert (environment.get(addresses.LOCAL_CREDENTIAL) == Address.credential) is has_address
    assert ("127.0.0.1" in environment.get("no_proxy", "")) is has_address


@pytest.mark.parametrize(
    ("value", "expected"), [("", True), ("true", True), ("false", False), ("0", False)]
)
def test_mlflows_own_variable_is_the_default_of_job_execution(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", value)
    assert MLflowProxy().job_execution is expected


def test_jobs_are_switched_on_as_the_refusal_of_one_says(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    told = why_not(StoreSettings.parse(uri, uri, str(tmp_path)), is_wanted=False)
    (setting,) = re.findall(r"set c\.MLflowProxy\.(\w+) = True in its configuration and", told)
    off = MLflowProxy(job_execution=False)
    assert "--job-execution" not in plugin.mlflow_command(off)
    assert "--job-execution" in plugin.mlflow_command(MLflowProxy(**{setting: True}))


def test_variables_of_jupyter_go_by_their_beginning() -> None:
    taken = [
        *("JUPYTER_TOKEN", "JPY_API_TOKEN", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID"),
        *("JUPYTER_GATEWAY_HTTP_PWD", "JUPYTER_GATEWAY_HTTP_USER", "JUPYTER_GATEWAY_HEADERS"),
        *("KG_AUTH_TOKEN", "KG_ANYTHING", "EG_REMOTE_USER", "EG_X", "CONFIGPROXY_AUTH_TOKEN"),
        *(addresses.IMPORT_NOTICE, addresses.STORE_URI, addresses.LOG_NOTEBOOK),
    ]
    kept = [
        *("JUPYTER_RUNTIME_DIR", "JUPYTER_PATH", "JUPYTER_PLATFORM_DIRS", "JUPYTERHUB_USER"),
        *("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_HOST", "JPY_SESSION_NAME", "JUPYTERHUB_IMAGE"),
        *("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_TOKEN", "KGX", "EGG", "JUPYTERX", "MY_EG_X"),
    ]
    assert jupyters_variables([*taken, *kept]) == taken
