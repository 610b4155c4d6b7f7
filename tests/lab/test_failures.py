"""A failed start reports its reason on the page, to API clients and in Jupyter's log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlflow_proxy.addresses import CONTROL_START
from support.databases import run
from support.hostile_files import HOSTILE
from support.lab import PAGE, Lab

StartLab = Callable[..., Lab]
LOG_RUN = """
import mlflow, sys
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run(run_name="of old"):
    mlflow.log_text("ä", "note.txt")
"""


def check_failure(lab: Lab, reason: str, remedy: str) -> None:
    status = lab.wait_until("failed")
    assert reason in status["reason"]
    assert remedy in status["remedy"]
    page = lab.get("/", headers=PAGE)
    assert page.status_code == 200
    assert '<body data-state="failed"' in page.text
    answer = lab.get("/api/2.0/mlflow/experiments/search")
    assert answer.status_code == 503
    assert reason in answer.json()["message"]
    assert reason in lab.log.read_text()
    assert reason in lab.mlflow_log.read_text()
    assert "Traceback" not in lab.log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that not even root can write")
def test_a_read_only_root_folder_is_reported(start_lab: StartLab) -> None:
    check_failure(
        start_lab(root=Path("/sys")),
        "MLflow cannot keep its database /sys/mlflow.db:",
        "choose another place with c.MLflowProxy.backend_store_uri",
    )


def test_a_hostile_store_delays_neither_jupyters_start_nor_its_end(
    start_lab: StartLab, tmp_path: Path
) -> None:
    database = tmp_path / "work" / "mlflow.db"
    database.parent.mkdir()
    HOSTILE["endless view"](database)
    lab = start_lab()
    check_failure(lab, f"The database {database} ", "Move it away, or correct the store's URI")
    lab.process.terminate()
    assert lab.process.wait(10) == 0


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("nonsense://me:hunter2@host/db", "nonsense"),
        (
            "https://me:hunter2@no-such-host.invalid",
            "The server https://no-such-host.invalid cannot be used: ",
        ),
    ],
)
def test_an_invalid_store_uri_is_reported(start_lab: StartLab, uri: str, reason: str) -> None:
    lab = start_lab(config=f"c.MLflowProxy.backend_store_uri = {uri!r}")
    check_failure(lab, reason, "")
    everything = lab.get("/", headers=PAGE).text + lab.log.read_text() + lab.mlflow_log.read_text()
    assert "hunter2" not in everything


def test_a_file_store_is_not_hidden_by_a_new_database(start_lab: StartLab, tmp_path: Path) -> None:
    store, database = tmp_path / "work" / "mlruns", tmp_path / "work" / "mlflow.db"
    run(LOG_RUN, store.as_uri(), MLFLOW_ALLOW_FILE_STORE="true")
    lab = start_lab()
    reason = "This release of MLflow refuses file stores such as"
    check_failure(lab, reason, f"--target=sqlite:///{database}")
    assert lab.kernel_variables()["MLFLOW_TRACKING_URI"] == store.as_uri()
    assert not database.exists()


def test_a_file_store_is_used_where_mlflow_allows_it(start_lab: StartLab, tmp_path: Path) -> None:
    store = tmp_path / "work" / "mlruns"
    run(LOG_RUN, store.as_uri(), MLFLOW_ALLOW_FILE_STORE="true")
    lab = start_lab(env={"MLFLOW_ALLOW_FILE_STORE": "true"})
    lab.run_in_kernel(LOG_RUN.replace("sys.argv[1]", "None").replace("of old", "of a kernel"))
    lab.wait_until("ready")
    runs = lab.api("runs/search", {"experiment_ids": ["0"]})["runs"]
    assert {run["info"]["run_name"] for run in runs} == {"of old", "of a kernel"}
    for each in runs:
        query = {"path": "note.txt", "run_id": each["info"]["run_id"]}
        assert lab.get("/get-artifact", params=query).content.decode() == "ä"
    assert not (tmp_path / "work" / "mlflow.db").exists()


def test_bad_settings_are_named_and_stop_nothing_but_mlflow(start_lab: StartLab) -> None:
    config = """
c.MLflowProxy.idle_timeout = -5
c.MLflowProxy.backend_store_uri = ["postgresql://me:hunter2@host/db"]
c.MLflowProxy.environment = {"AWS_SECRET_ACCESS_KEY": "hunter2", "PORT": 5}
c.MLflowProxy.kernel = "server"
"""
    lab = start_lab(config=config)
    reason = (
        "c.MLflowProxy.idle_timeout is -5; it takes a number of seconds above 0, or 0 for never."
    )
    check_failure(lab, reason, "Correct the Jupyter configuration or command line, then restart")
    page, log = lab.get("/", headers=PAGE).text, lab.log.read_text()
    for name in ("idle_timeout is -5", "backend_store_uri is a value", "environment is a value"):
        assert f"c.MLflowProxy.{name}" in page
        assert log.count(f"MLflow is not available: c.MLflowProxy.{name}") == 1
    assert log.count("Config option `kernel` not recognized by `MLflowProxy`.") == 1
    assert "Did you mean `kernels`?" in log
    assert "hunter2" not in page + log + lab.mlflow_log.read_text()
    assert lab.post(CONTROL_START, json={}).status_code == 202
    lab.wait_until("failed")
    # It is not known which store is meant.
    assert "MLFLOW_TRACKING_URI" not in lab.kernel_variables()


def test_kernels_get_the_store_although_another_setting_is_bad(
    start_lab: StartLab, tmp_path: Path
) -> None:
    own_file = tmp_path / "config" / "jupyter_mlflow_proxy_config.py"
    own_file.parent.mkdir()
    own_file.write_text("c.MLflowProxy.start_timeout = '2 minutes'")
    lab = start_lab(config="c.MlflowProxy.prestart = True", program="mlflow-proxy")
    uri = f"sqlite:///{tmp_path}/work/mlflow.db"
    assert lab.kernel_variables()["MLFLOW_TRACKING_URI"] == uri
    log = lab.log.read_text()
    assert "c.MLflowProxy.start_timeout is '2 minutes'; it takes a number of seconds" in log
    assert "`MlflowProxy` is not known. Did you mean `MLflowProxy`?" in log
    assert "JupyterLab extension loaded" in log
