"""A client on another machine uses HTTP and a kernel uses files for the same artifacts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.lab import TOKEN, Lab
from support.processes import environment

CLIENT = Path(__file__).parents[1] / "resources" / "remote_client.py"
KERNEL_LOGS = """
import mlflow
mlflow.set_experiment("from a kernel")
def double(model_input: list[float]) -> list[float]:
    return [2 * each for each in model_input]
with mlflow.start_run() as run:
    mlflow.log_text("from a kernel", "note.txt")
    logged = mlflow.pyfunc.log_model(
        name="double", python_model=double, pip_requirements=["mlflow"],
        registered_model_name="double",
    )
client = mlflow.MlflowClient()
client.set_registered_model_alias("double", "champion", "1")
print(run.info.artifact_uri)
"""
KERNEL_READS = """
import mlflow, json
assert mlflow.pyfunc.load_model("models:/triple/1").predict([1.0]) == [3.0]
from pathlib import Path
folder = Path(mlflow.artifacts.download_artifacts("models:/files/1"))
assert (folder / "ä b.txt").read_text() == "from afar"
client = mlflow.MlflowClient()
experiment = client.get_experiment_by_name("from another machine")
(run,) = client.search_runs([experiment.experiment_id])
(file,) = client.list_artifacts(run.info.run_id, "files")
assert file.path == "files/ä b.txt"
(trace,) = mlflow.search_traces(
    locations=[experiment.experiment_id], return_type="list", include_spans=True
)
assert trace.data.spans[0].inputs == {"a": 1}
print(json.dumps([experiment.artifact_location, run.info.artifact_uri]))
"""


def test_a_client_on_another_machine_and_a_kernel_share_artifacts(lab: Lab, tmp_path: Path) -> None:
    kernels = lab.run_in_kernel(KERNEL_LOGS).split()[-1]
    assert kernels.startswith(f"{lab.root}/mlartifacts/")

    server = {"MLFLOW_TRACKING_URI": lab.mlflow_url, "MLFLOW_TRACKING_TOKEN": TOKEN}
    home = tmp_path / "other machine"
    home.mkdir()
    client = subprocess.run(
        [sys.executable, str(CLIENT), "models:/double@champion"],
        cwd=home,
        env=environment(home, server),
        capture_output=True,
        text=True,
        check=False,
    )
    assert client.returncode == 0, client.stderr
    places = json.loads(client.stdout.splitlines()[-1])
    assert all(place.startswith("mlflow-artifacts:/") for place in places), places
    assert sorted(path.name for path in home.iterdir()) == ["local", "tmp"]

    experiment, run = json.loads(lab.run_in_kernel(KERNEL_READS).splitlines()[-1])
    assert experiment.startswith(f"{lab.root}/mlartifacts/")
    assert run.startswith(experiment)
    # The dashboard gets the local path.
    answer = lab.post("/ajax-api/2.0/mlflow/experiments/search", json={"max_results": 100})
    locations = [each["artifact_location"] for each in answer.json()["experiments"]]
    assert experiment in locations


@pytest.mark.parametrize(
    "path", ["a/../../../etc", "%2e%2e/%2e%2e/etc", "a/%2e%2e/%2e%2e/%2e%2e/etc"]
)
def test_no_uri_escapes_the_artifact_folder(lab: Lab, path: str) -> None:
    for prefix in ("mlflow-artifacts:/", "mlflow-artifacts://localhost/", "mlflow-artifacts:///"):
        name = f"{prefix}{path}"
        body = {"name": name, "artifact_location": name}
        answer = lab.post("/api/2.0/mlflow/experiments/create", json=body)
        if answer.status_code == 200:  # as in `mlflow server`, which checks on use
            experiment = answer.json()["experiment_id"]
            stored = lab.get(f"/ajax-api/2.0/mlflow/experiments/get?experiment_id={experiment}")
            assert stored.json()["experiment"]["artifact_location"] == name
            run = lab.api("runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
            found = lab.get("/get-artifact", params={"run_id": run, "path": "passwd"})
            assert found.status_code >= 400
        lab.api("registered-models/create", {"name": name.replace("/", "_").replace(":", "_")})
        version = {"name": name.replace("/", "_").replace(":", "_"), "source": name}
        assert lab.post("/api/2.0/mlflow/model-versions/create", json=version).status_code == 400
