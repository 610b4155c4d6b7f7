"""MLflow is killed repeatedly; clients lose no data."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.lab import TOKEN, Lab
from support.waiting import wait_for

StartLab = Callable[..., Lab]
LOG_RUNS = Path(__file__).parents[1] / "resources" / "log_runs.py"
KILLS = 2  # one more in a row, and MLflow would not be started again at once
LAST_WAIT = 60  # seconds: the client's longest backoff and one run


def test_a_logging_client_survives_crashes_of_mlflow(
    start_lab: StartLab, new_database: Path
) -> None:
    """Takes half a minute: MLflow's client backs off."""
    lab = start_lab(database=new_database)
    lab.wait_until("ready")
    with client_that_logs(lab) as (client, runs):
        wait_for(lambda: len(runs()) > 1, message="the client logs no runs")
        for _ in range(KILLS):
            lab.wait_until("ready")
            lab.mlflow.kill()
            wait_for(lambda: lab.status()["state"] != "ready")
        lab.wait_until("ready")
        before = len(runs())
        wait_for(lambda: client.poll() is not None or len(runs()) > before, LAST_WAIT)
    assert client.returncode == 0, (lab.home / "client.log").read_text()
    for run_id in runs():
        run = lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()["run"]
        assert run["info"]["status"] == "FINISHED"
        assert {each["key"]: each["value"] for each in run["data"]["metrics"]} == {
            "alone": 4,
            "batch": 4,
        }
        history = lab.get(
            f"/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=batch&max_results=9"
        )
        assert [each["value"] for each in history.json()["metrics"]] == [0, 1, 2, 3, 4]
    check_log(lab.mlflow_log.read_text())


@contextmanager
def client_that_logs(
    lab: Lab,
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], list[str]]]]:
    """A client with MLflow's default settings, and the runs acknowledged so far."""
    runs = lab.home / "runs"
    env = {"MLFLOW_TRACKING_URI": lab.mlflow_url, "MLFLOW_TRACKING_TOKEN": TOKEN}
    with runs.open("w") as printed, (lab.home / "client.log").open("w") as log:
        client = subprocess.Popen(
            [sys.executable, str(LOG_RUNS)],
            env={**lab.env, **env},
            cwd=lab.home,
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=log,
        )
        with client:
            try:
                yield client, lambda: re.findall(r"^done (\w+)\n", runs.read_text(), re.MULTILINE)
                client.communicate(timeout=LAST_WAIT)  # closes its stdin
            finally:
                client.kill()


def check_log(log: str) -> None:
    """Each transition is one line with the process's pid."""
    started = re.findall(r"INFO \S+: Started MLflow \(pid (\d+)\): \w", log)
    served = re.findall(r"INFO \S+: MLflow is ready \(pid (\d+)\) after", log)
    killed = re.findall(r"INFO \S+: MLflow ended \(pid (\d+)\): signal 9 \(Killed\)", log)
    assert started == served[:1]  # simpervisor starts the others
    assert served == [*killed, served[-1]]
    assert len(killed) == KILLS
    assert log.count("MLflow ended unexpectedly. It is restarted.") == KILLS
