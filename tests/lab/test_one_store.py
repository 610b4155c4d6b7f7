"""Kernels, terminals and the dashboard use the same store without configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.kernel import kernel
from support.lab import TOKEN, Lab
from support.waiting import wait_for

pytestmark = pytest.mark.release
StartLab = Callable[..., Lab]
Run = Callable[[str], str]
TERMINAL = Path(__file__).parents[1] / "resources" / "run_in_terminal.py"

LOG_RUN = """
import mlflow, pathlib
mlflow.set_experiment({experiment!r})
with mlflow.start_run(run_name="from a notebook") as run:
    mlflow.log_param("depth", 3)
    mlflow.log_metric("accuracy", 0.9)
    mlflow.log_text("ä plot", "plots/a b.txt")
    print(run.info.run_id)
"""


@pytest.fixture(scope="module")
def run(lab: Lab) -> Iterator[Run]:
    """A function that runs code in one kernel; returns its stdout."""
    with kernel(lab.url, TOKEN, "one.ipynb") as run_cells:
        yield lambda code: run_cells(code)[0].stdout


def run_of(lab: Lab, run_id: str) -> dict:
    """The run as the dashboard's API returns it."""
    return lab.get(f"/ajax-api/2.0/mlflow/runs/get?run_id={run_id}").json()["run"]


def artifact(lab: Lab, run_id: str) -> str:
    answer = lab.get("/get-artifact", params={"path": "plots/a b.txt", "run_id": run_id})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    return answer.content.decode()


def test_a_notebook_in_any_folder_logs_to_the_dashboard(lab: Lab) -> None:
    folder = lab.root / "deep" / "er"
    folder.mkdir(parents=True)
    run_id = lab.run_in_kernel(LOG_RUN.format(experiment="by a kernel"), "deep/er").split()[-1]
    run = run_of(lab, run_id)
    assert run["info"]["run_name"] == "from a notebook"
    assert run["data"]["metrics"][0]["value"] == 0.9
    assert list(folder.iterdir()) == []


def test_artifacts_of_a_kernels_experiment_are_in_the_dashboard(lab: Lab, run: Run) -> None:
    run_id = run(LOG_RUN.format(experiment="artifacts by a kernel")).split()[-1]
    assert artifact(lab, run_id) == "ä plot"
    assert run_of(lab, run_id)["info"]["artifact_uri"].startswith(f"{lab.root}/mlartifacts/")


def test_a_kernel_logs_artifacts_to_an_experiment_of_the_dashboard(lab: Lab, run: Run) -> None:
    lab.api("experiments/create", {"name": "by the dashboard"})
    run_id = run(LOG_RUN.format(experiment="by the dashboard")).split()[-1]
    assert artifact(lab, run_id) == "ä plot"
    assert run_of(lab, run_id)["info"]["artifact_uri"].startswith(f"{lab.root}/mlartifacts/")


def test_the_default_experiment_stores_artifacts_in_the_same_folder(lab: Lab, run: Run) -> None:
    run_id = run(LOG_RUN.format(experiment="Default")).split()[-1]
    assert artifact(lab, run_id) == "ä plot"
    assert run_of(lab, run_id)["info"]["artifact_uri"].startswith(f"{lab.root}/mlartifacts/0/")


def test_a_kernel_reads_artifacts_that_the_dashboards_api_wrote(lab: Lab, run: Run) -> None:
    experiment = lab.api("experiments/create", {"name": "by the api"})["experiment_id"]
    made = lab.api("runs/create", {"experiment_id": experiment, "start_time": 1})["run"]["info"]
    path = f"?run_uuid={made['run_id']}&path=note.txt"
    upload = lab.post(
        f"/ajax-api/2.0/mlflow/upload-artifact{path}",
        data=b"a note",
        headers={"Content-Type": "application/octet-stream"},
    )
    assert upload.status_code == 200, upload.text
    code = f"import mlflow; print(mlflow.artifacts.load_text('runs:/{made['run_id']}/note.txt'))"
    assert run(code).strip() == "a note"


def test_a_kernel_may_use_any_artifact_store(run: Run) -> None:
    code = """
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
print(type(get_artifact_repository("https://files.example/a")).__name__)
"""
    assert run(code).split()[-1] == "HttpArtifactRepository"


def test_a_terminal_uses_the_same_store(lab: Lab) -> None:
    written = lab.root / "terminal.txt"
    line = f'echo "$MLFLOW_TRACKING_URI" > {written}'
    subprocess.run([sys.executable, str(TERMINAL), lab.url, TOKEN, line], check=True, env=lab.env)
    wait_for(lambda: written.exists() and written.read_text())
    assert written.read_text().strip() == f"sqlite:///{lab.root}/mlflow.db"


def test_a_configured_tracking_uri_is_kept_and_shown(start_lab: StartLab, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    lab = start_lab(env={"MLFLOW_TRACKING_URI": uri})
    assert lab.kernel_variables()["MLFLOW_TRACKING_URI"] == uri
    lab.wait_until("ready")
    assert (tmp_path / "elsewhere.db").exists()
    assert list(lab.root.iterdir()) == []


def test_kernels_of_a_gateway_log_to_the_dashboard_once_they_are_told_its_store(
    lab: Lab, start_lab: StartLab, tmp_path: Path
) -> None:
    """The gateway is another Jupyter server, without this package."""
    config = "c.ServerApp.jpserver_extensions = {'mlflow_proxy': False}"
    store = f"sqlite:///{lab.root}/mlflow.db"

    def through_a_gateway(name: str, **variables: str) -> Lab:
        gateway = start_lab(tmp_path / name / "gateway", config=config, env=variables)
        client = {"url": gateway.url, "auth_token": TOKEN}
        lines = [f"c.GatewayClient.{key} = {value!r}" for key, value in client.items()]
        lines.append(f"c.MLflowProxy.backend_store_uri = {store!r}")
        return start_lab(tmp_path / name / "client", config="\n".join(lines))

    code = "import os; print(os.environ.get('MLFLOW_TRACKING_URI'))"
    client = through_a_gateway("untold")
    assert client.run_in_kernel(code).strip() == "None"
    warning = r"unless (\w+) is set for the gateway's kernels, to a store that both can reach"
    (variable,) = re.findall(warning, client.log.read_text())
    client = through_a_gateway("told", **{variable: store})
    run_id = client.run_in_kernel(LOG_RUN.format(experiment="of a gateway")).split()[-1]
    assert run_of(lab, run_id)["info"]["run_name"] == "from a notebook"


def test_the_export_can_be_disabled(start_lab: StartLab) -> None:
    lab = start_lab(config="c.MLflowProxy.export_tracking_uri = False")
    names = [name for name in lab.kernel_variables() if "MLFLOW" in name and "URI" in name]
    assert names == []
