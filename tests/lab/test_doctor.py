"""`jupyter mlflow-proxy doctor`: in a terminal of Jupyter, elsewhere, where something is wrong."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from mlflow_proxy.addresses import CONTROL_RESTART, LOCAL_URL, STORE_URI
from support.databases import NEWER
from support.lab import Lab, lab_server
from support.processes import BIN, environment
from support.waiting import wait_for

COMMAND = [str(BIN / "jupyter"), "mlflow-proxy", "doctor"]
TERMINAL = (
    "import subprocess; print(subprocess.run({command}, capture_output=True, text=True).stdout)"
)


def doctor(home: Path, *options: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit code and the output."""
    result = subprocess.run(
        [*COMMAND, *options],
        cwd=home,
        env=environment(home, env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "hunter2" not in result.stdout + result.stderr
    return result.returncode, result.stdout


@pytest.mark.release
def test_all_is_well_in_a_terminal_of_jupyter(
    start_lab: Callable[..., Lab], new_database: Path
) -> None:
    config = "c.MLflowProxy.environment = {'KEY': 'hunter2'}\nc.MLflowProxy.kernels = 'server'"
    lab = start_lab(
        config=config, env={"MLFLOW_DEFAULT_ARTIFACT_ROOT": "art"}, database=new_database
    )
    lab.wait_until("ready")
    before = lab.mlflow.pid
    told = lab.run_in_kernel(TERMINAL.format(command=COMMAND))
    assert "Problems: 0" in told, told
    assert "hunter2" not in told
    assert f"ok {lab.mlflow_url}/ answers 200" in told
    assert "is ready: MLflow is running" in told
    assert f"ok Socket {lab.mlflow_socket}" in told
    assert "ok The address for kernels, http://127.0.0.1:" in told
    # Of the server that runs, whose file the terminal does not read.
    assert f"kernels = server  [{lab.home}/jupyter_config.py]" in told
    assert f"default_artifact_root = {lab.root}/art  [$MLFLOW_DEFAULT_ARTIFACT_ROOT]" in told
    assert "idle_timeout = 1800  [default]" in told
    assert "has the revision" in told
    assert lab.mlflow.pid == before

    lab.mlflow_socket.chmod(0o666)
    told = lab.run_in_kernel(TERMINAL.format(command=COMMAND))
    assert "!! Socket" in told
    assert "Restart MLflow: its folder must be open to its owner only" in told
    assert lab.post(CONTROL_RESTART, json={}).ok
    wait_for(lambda: before not in [each.pid for each in lab.mlflow_processes()])
    lab.wait_until("ready")
    assert f"ok Socket {lab.mlflow_socket}" in lab.run_in_kernel(TERMINAL.format(command=COMMAND))


def test_the_command_line_and_the_file_are_named_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "config" / "jupyter_mlflow_proxy_config.py"
    file.parent.mkdir()
    file.write_text("c.MLflowProxy.idle_timeout = 60")
    code, told = doctor(tmp_path, "--MLflowProxy.prestart=True")
    assert (code, "Problems: 0" in told) == (0, True), told
    assert f"idle_timeout = 60  [{file}]" in told
    assert "prestart = True  [the command line]" in told
    assert "Not one of a Jupyter server" in told
    assert not (tmp_path / "mlflow.db").exists()


def test_what_is_wrong_has_a_remedy_and_no_password(tmp_path: Path) -> None:
    config = tmp_path / "config" / "jupyter_server_config.d"
    config.mkdir(parents=True)
    names = ("jupyter_server_proxy", "mlflow_proxy")
    disabled = {"ServerApp": {"jpserver_extensions": dict.fromkeys(names, False)}}
    (config / "mine.json").write_text(json.dumps(disabled))
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num)")
        database.execute("INSERT INTO alembic_version VALUES (?)", (NEWER,))
    # In a virtual environment its own files win over the user's.
    env = {"JUPYTER_PREFER_ENV_PATH": "0"}
    with lab_server(tmp_path, root=tmp_path, env=env) as lab:
        code, told = doctor(tmp_path, env=env)
        assert code == 1
        assert f"!! {lab.mlflow_url}/ answers 404" in told
    assert "404: enable the extension mlflow_proxy, or see the log there" in told
    assert "is of a newer MLflow than this one" in told
    assert "-m pip install --upgrade mlflow" in told
    for name in names:
        assert f"!! Server extension {name}" in told
        (command,) = re.findall(f"Or: (jupyter server extension enable {name} .*)", told)
        subprocess.run(command.split(), env=environment(tmp_path, env), check=True)
    with lab_server(tmp_path, root=tmp_path, env=env) as lab:
        told = doctor(tmp_path, env=env)[1]
    assert "ok Server extension mlflow_proxy" in told
    assert f"ok {lab.mlflow_url}/ answers 200" in told

    store = "--MLflowProxy.backend_store_uri=http://me:hunter2@127.0.0.1:1"
    # As in a terminal of a Jupyter server that has ended. One of a new server has another address.
    of_old = {STORE_URI: "sqlite:////mlflow.db", LOCAL_URL: "http://127.0.0.1:1/mlflow"}
    code, told = doctor(tmp_path, store, "--MLflowProxy.start_timeout=0", env=of_old)
    assert "c.MLflowProxy.start_timeout is '0'; it takes a number of seconds above 0" in told
    assert "Restart Jupyter, and open a new terminal" in told

    python = tmp_path / "python"
    code, told = doctor(tmp_path, store, f"--MLflowProxy.python={python}")
    assert "!! Python cannot be run: [Errno 2] No such file" in told
    assert "     Check c.MLflowProxy.python\n" in told
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    code, told = doctor(tmp_path, store, f"--MLflowProxy.python={python}")
    assert code == 1
    assert "refuses the connection" in told
    assert "backend_store_uri = http://me:***@127.0.0.1:1" in told
    assert "hunter2" not in told
