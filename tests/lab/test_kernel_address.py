"""The address for kernels does not depend on how people reach Jupyter and log in to it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests
from jupyter_server.auth import passwd

from support.certificates import authority
from support.lab import Lab

SERVER = "c.MLflowProxy.kernels = 'server'\n"
PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
LOG_A_RUN = """
import mlflow
with mlflow.start_run() as run:
    mlflow.log_text("hello", "95%_ci.txt")
assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/95%_ci.txt") == "hello"
print(run.info.run_id)
"""


def log_as_a_kernel(lab: Lab, **variables: str) -> str:
    """Log a run with the environment of a kernel; returns the run's id."""
    logged = subprocess.run(
        [sys.executable, "-c", LOG_A_RUN],
        cwd=lab.root,
        env={**lab.kernel_variables(), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert logged.returncode == 0, logged.stderr
    return logged.stdout.split()[-1]


def test_neither_jupyters_own_certificate_nor_a_proxy_is_asked_for(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    certificates = authority(tmp_path / "certificates")
    pem = certificates.issue("jupyter", alternative="IP:127.0.0.1,DNS:lab.example.org")
    lab = start_lab(
        config=f"{SERVER}c.ServerApp.certfile = {str(pem)!r}",
        authority=certificates.certificate,
        env=PROXY,
    )
    assert lab.url.startswith("https://")
    run_id = log_as_a_kernel(lab)
    assert lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok


def test_a_password_in_place_of_a_token_and_a_proxy_with_exceptions(
    start_lab: Callable[..., Lab],
) -> None:
    hashed = passwd("the-password")
    config = f"{SERVER}c.PasswordIdentityProvider.hashed_password = {hashed!r}"
    excepted = {"no_proxy": "example.org", "NO_PROXY": "example.org"}
    lab = start_lab(config=config, token="", base_url="/user/j%C3%B6rg/", env={**PROXY, **excepted})
    lab.log_in("the-password")
    run_id = log_as_a_kernel(lab)
    assert lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok


def test_a_request_of_a_kernel_is_use_and_wakes_mlflow(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(config=f"{SERVER}c.MLflowProxy.idle_timeout = 3")
    log_as_a_kernel(lab)
    lab.wait_until("idle")
    before = lab.session.get(f"{lab.url}/api/status", timeout=30).json()["last_activity"]
    run_id = log_as_a_kernel(lab)
    after = lab.session.get(f"{lab.url}/api/status", timeout=30).json()["last_activity"]
    assert after > before
    assert lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok


def test_no_request_is_lost_while_mlflow_is_stopped_and_started(
    start_lab: Callable[..., Lab],
) -> None:
    lab = start_lab(config=f"{SERVER}c.MLflowProxy.idle_timeout = 0.4")
    variables = lab.kernel_variables()
    search = f"{variables['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/runs/create"
    pauses, answers = random.Random(1), []
    with requests.Session() as client:
        client.headers["Authorization"] = f"Bearer {variables['MLFLOW_TRACKING_TOKEN']}"

        def stops() -> int:
            log = lab.mlflow_log
            return log.read_text().count("s without use") if log.exists() else 0

        deadline = time.monotonic() + 120
        while stops() < 4:
            assert time.monotonic() < deadline
            answers.append(client.post(search, json={"experiment_id": "0"}, timeout=60))
            time.sleep(pauses.choice([0, 0.01, 0.39, 0.4, 0.41, 0.5]))
    assert {answer.status_code for answer in answers} == {200}
    found = lab.api("runs/search", {"experiment_ids": ["0"], "max_results": 50_000})["runs"]
    assert len(found) == len(answers)
