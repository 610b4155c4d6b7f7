"""With the server extension disabled, jupyter-server-proxy launches MLflow and serves it itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.lab import PAGE, TOKEN, Lab
from support.server import QUICK

CONFIG = f"{QUICK}c.ServerApp.jpserver_extensions.update(mlflow_proxy=False)\n"
SECRET = "a-secret-of-jupyter"
START = 120.0  # seconds
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# Writes down what MLflow's application is given.
RECORD = """
import sys

if any(each.startswith("--unix-socket") for each in sys.orig_argv):
    import flask

    def record(self, environ, start_response, serve=flask.Flask.wsgi_app):
        with open("received", "a") as file:
            print({name: environ[name] for name in environ if name.isupper()}, file=file)
        return serve(self, environ, start_response)

    flask.Flask.wsgi_app = record
"""


def test_the_tile_the_dashboard_and_an_artifact_are_served(
    start_lab: Callable[..., Lab], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # jupyter-server-proxy puts the socket below it, whose path may have 107 bytes.
    temporary = tmp_path_factory.getbasetemp() / "j"
    temporary.mkdir()
    (tmp_path / "sitecustomize.py").write_text(RECORD)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    env = {"PYTHONPATH": path, "JUPYTER_TOKEN": SECRET, "TMPDIR": str(temporary)}
    lab = start_lab(config=CONFIG, program="server", env=env)
    assert "mlflow_proxy | extension" not in lab.log.read_text()
    found = lab.session.get(f"{lab.url}/server-proxy/servers-info", timeout=30).json()
    (tile,) = [each for each in found["server_processes"] if each["name"] == "mlflow"]
    assert tile["launcher_entry"]["title"] == "MLflow"
    assert lab.session.get(lab.url + tile["launcher_entry"]["icon_url"], timeout=30).ok

    first = lab.session.get(f"{lab.mlflow_url}/?token={TOKEN}", headers=PAGE, timeout=START)
    assert first.status_code == 200
    assert "<title>MLflow</title>" in first.text
    assert lab.session.cookies
    assert lab.get(lab.mlflow_script).ok
    run = lab.api("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    uploaded = lab.session.put(
        f"{lab.mlflow_url}{ARTIFACTS}/0/{run}/artifacts/note.txt", data=b"hello", timeout=30
    )
    assert uploaded.ok, uploaded.text
    assert lab.get(f"/get-artifact?run_id={run}&path=note.txt").text == "hello"

    received = (lab.root / "received").read_text()
    assert "/api/2.0/mlflow/runs/create" in received
    for secret in (TOKEN, *lab.session.cookies.values()):
        assert secret not in received
    assert SECRET not in "".join(lab.mlflow.environ().values())
