"""Transcripts of the same client calls to a plain `mlflow server` and to the Lab."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests

from .lab import TOKEN, Lab
from .processes import BIN, environment, free_ports, running
from .transcript import Transcripts, normalised
from .waiting import wait_for

CLIENT = Path(__file__).parents[1] / "conformance" / "client.py"
TIMEOUT = 300  # seconds for all calls to one server

FAMILIES = (
    "experiments",
    "runs",
    "batches",
    "metrics",
    "tags and parameters",
    "dataset inputs",
    "evaluation datasets",
    "logged models",
    "a model logged, registered, loaded",
    "model registry",
    "prompts",
    "webhooks",
    "traces",
    "traces, version 2",
    "assessments",
    "OpenTelemetry",
    "artifact names",
    "artifact folders",
    "artifacts, otherwise",
    "errors",
    "about the server",
)


def transcripts(lab: Lab, folder: Path) -> tuple[Transcripts, Transcripts]:
    """Run all families against `mlflow server` and against `lab`; returns both transcripts."""
    with plain_server(folder / "plain") as url:
        align_experiments(lab, url)
        with ThreadPoolExecutor() as threads:
            plain, through_lab = threads.map(
                run_client,
                (url, lab.mlflow_url),
                (folder / "to-plain", folder / "to-lab"),
                (folder / "plain" / "artifacts", lab.root / "mlartifacts"),
            )
            return plain, through_lab


@contextmanager
def plain_server(home: Path) -> Iterator[str]:
    """Run `mlflow server` with its own store; yields its URL."""
    env = environment(home, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    (port,) = free_ports(1)
    store = f"sqlite:///{home}/mlflow.db"
    command = [str(BIN / "mlflow"), "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(home / "artifacts")]
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    with running(command, cwd=home, env=env, log=home / "server.log"):
        wait_for(answers, 60, f"mlflow server does not answer, see {home}/server.log")
        yield url


def align_experiments(lab: Lab, url: str) -> None:
    """Create experiments in the new store until the next id is the same in both."""
    body = {"name": "the last before"}
    wanted = int(lab.api("experiments/create", body)["experiment_id"])
    for number in range(wanted):
        body = {"name": f"{number} before"}
        path = f"{url}/api/2.0/mlflow/experiments/create"
        answer = requests.post(path, json=body, timeout=30).json()
        if int(answer["experiment_id"]) == wanted:
            return
    raise AssertionError(f"no experiment {wanted}: {answer}")


def run_client(url: str, home: Path, artifacts: Path) -> Transcripts:
    """Run all families of calls to the server at `url`, which keeps artifacts in `artifacts`."""
    env = environment(home)
    command = [sys.executable, str(CLIENT), url, TOKEN, str(home / "transcript.json")]
    with (home / "client.log").open("wb") as log:
        subprocess.run(
            command, cwd=home, env=env, check=True, stdout=log, stderr=log, timeout=TIMEOUT
        )
    text = (home / "transcript.json").read_text()
    written: Transcripts = json.loads(text.replace(str(artifacts), "<artifacts>"))
    return {family: normalised(exchanges) for family, exchanges in written.items()}
