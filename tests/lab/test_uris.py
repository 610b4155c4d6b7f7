"""URIs in the environment as people write them: kernels and the dashboard have one store."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.lab import Lab

LOG_A_RUN = """
import mlflow
with mlflow.start_run() as run:
    mlflow.log_text("hello", "95%_ci.txt")
mlflow.MlflowClient().create_registered_model("a model")
print(run.info.run_id)
"""
WARNING = "MLFLOW_TRACKING_URI is set to another store"


@pytest.mark.release
def test_a_blank_uri_is_none_and_a_root_folder_has_any_name(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    variables = {"MLFLOW_TRACKING_URI": "  ", "MLFLOW_REGISTRY_URI": ""}
    lab = start_lab(env=variables, root=tmp_path / 'it\'s "My%20Project"? {x} #1')
    (lab.root / "deep").mkdir()
    run_id = lab.run_in_kernel(LOG_A_RUN, "deep").split()[-1]
    with closing(sqlite3.connect(lab.root / "mlflow.db")) as database:  # the dashboard's
        assert database.execute("SELECT run_uuid FROM runs").fetchall() == [(run_id,)]
        assert database.execute("SELECT name FROM registered_models").fetchall() == [("a model",)]
    assert [*(lab.root / "deep").iterdir()] == []
    assert WARNING not in lab.log.read_text()
    lab.wait_until("ready")
    artifact = {"run_id": run_id, "path": "95%_ci.txt"}
    assert lab.get("/get-artifact", params=artifact).text == "hello"
    assert [*lab.root.glob("mlartifacts/0/*/artifacts/95%_ci.txt")]
    status = lab.get("/_proxy/control").json()
    assert status["store"] == f"sqlite:///{lab.root}/mlflow.db"
    assert [each.name for each in tmp_path.glob("it*")] == [lab.root.name]


def test_a_kernel_in_a_sub_folder_logs_to_a_relative_database(
    start_lab: Callable[..., Lab],
) -> None:
    uris = {
        "MLFLOW_TRACKING_URI": " sqlite:///mine.db ",
        "MLFLOW_REGISTRY_URI": "sqlite:///mine.db",
    }
    lab = start_lab(env=uris, config="c.MLflowProxy.kernels = 'server'")
    (lab.root / "deep").mkdir()
    run_id = lab.run_in_kernel(LOG_A_RUN, "deep").split()[-1]
    lab.wait_until("ready")
    assert lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok
    assert lab.get("/api/2.0/mlflow/registered-models/get?name=a model").ok
    assert (lab.root / "mine.db").exists()
    assert [*(lab.root / "deep").iterdir()] == []
    assert WARNING not in lab.log.read_text()


def test_a_kernel_in_a_sub_folder_logs_to_a_relative_file_store(
    start_lab: Callable[..., Lab],
) -> None:
    lab = start_lab(env={"MLFLOW_TRACKING_URI": "./mlruns", "MLFLOW_ALLOW_FILE_STORE": "true"})
    (lab.root / "deep").mkdir()
    run_id = lab.run_in_kernel(LOG_A_RUN, "deep").split()[-1]
    lab.wait_until("ready")
    assert lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok
    assert [*(lab.root / "deep").iterdir()] == []
    assert WARNING not in lab.log.read_text()


def test_different_stores_cause_a_warning_until_one_of_them_is_unset(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    config = f"c.MLflowProxy.backend_store_uri = 'sqlite:///{tmp_path}/configured.db'"
    chosen = {"MLFLOW_TRACKING_URI": "https://tracking.example"}
    lab = start_lab(tmp_path / "both", env=chosen, config=config)
    assert lab.kernel_variables()["MLFLOW_TRACKING_URI"] == "https://tracking.example"
    warning = (
        r"(\w+) is set to another store than MLflowProxy\.(\w+): the MLflow dashboard will not"
    )
    ((variable, setting),) = re.findall(f"{warning}.* Unset one of the two", lab.log.read_text())

    assert setting == "backend_store_uri"
    lab = start_lab(tmp_path / "the variable", env=chosen)
    assert "another store" not in lab.log.read_text()
    assert lab.status()["store"] == lab.kernel_variables()["MLFLOW_TRACKING_URI"]

    del chosen[variable]
    lab = start_lab(tmp_path / "the setting", env=chosen, config=config)
    assert "another store" not in lab.log.read_text()
    assert lab.status()["store"].endswith("configured.db")
    lab.run_in_kernel("import mlflow; mlflow.create_experiment('of a kernel')")
    with closing(sqlite3.connect(tmp_path / "configured.db")) as database:
        assert ("of a kernel",) in database.execute("SELECT name FROM experiments").fetchall()
