"""The log of MLflow."""

from __future__ import annotations

import re

from support.lab import Lab
from support.waiting import wait_for

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"


def test_a_start_logs_two_lines_and_no_warnings(lab: Lab) -> None:
    log = lab.mlflow_log.read_text()
    pid = lab.mlflow.pid
    life = f"{TIME} INFO mlflow_proxy.life"
    assert re.search(rf"^{life}: Started MLflow \(pid {pid}\): requested$", log, re.M)
    ready = re.search(rf"^{life}: MLflow is ready \(pid {pid}\) after [\d.]+ s$", log, re.M)
    assert ready
    start = log[: ready.end()]  # later lines may come from other tests' requests
    assert "Deprecat" not in start
    assert "uvicorn" not in start


def test_jupyters_log_names_the_path_of_the_log(lab: Lab) -> None:
    assert f"its log will be {lab.mlflow_log}" in lab.log.read_text()
    assert lab.mlflow_log.stat().st_mode & 0o777 == 0o600


def test_jupyters_log_has_no_warning_that_mlflow_has_no_accounts(lab: Lab) -> None:
    users = "/ajax-api/2.0/mlflow/users"
    assert lab.get(f"{users}/current").status_code == 404  # each page of the dashboard asks
    assert lab.get(f"{users}/other").status_code == 404
    wait_for(lambda: f"404 GET /mlflow{users}/other" in lab.log.read_text())
    assert f"404 GET /mlflow{users}/current" not in lab.log.read_text()
