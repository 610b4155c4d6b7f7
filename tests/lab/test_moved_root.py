"""A root folder that was moved: MLflow finds its artifacts at once."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mlflow_proxy.addresses import CONTROL_RESTART
from support.lab import Lab, lab_server
from support.waiting import wait_for

StartLab = Callable[..., Lab]
FILL = """
import json, mlflow, tempfile
class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input

@mlflow.trace
def answer(question):
    return 42

mlflow.set_experiment("kept")
with mlflow.start_run() as run:
    mlflow.log_text("of the old folder", "notes/a b.txt")
    mlflow.pyfunc.log_model(
        name="model", python_model=Echo(), registered_model_name="echo", pip_requirements=[]
    )
answer("How many?")
mlflow.flush_trace_async_logging()
print(json.dumps({"run": run.info.run_id, "trace": mlflow.get_last_active_trace_id()}))
"""
READ = """
import json, mlflow
ids = json.loads({ids!r})
print(mlflow.artifacts.load_text(f"runs:/{{ids['run']}}/notes/a b.txt"))
print(mlflow.pyfunc.load_model("models:/echo/1").predict(["ä"]))
print(mlflow.get_trace(ids["trace"]).data.response)
mlflow.set_experiment("kept")
with mlflow.start_run() as run:
    mlflow.log_text("new", "new.txt")
print(run.info.artifact_uri)
"""


class Moved:
    """A root folder that was filled at `old` and is now `new`; `ids` are of what is in it."""

    def __init__(self, old: Path, new: Path, ids: dict[str, str]) -> None:
        self.old = old
        self.new = new
        self.ids = ids
        self.database = new / "mlflow.db"

    def locations(self) -> list[str]:
        """The locations of the experiments and runs."""
        with closing(sqlite3.connect(self.database)) as connection:
            sql = "SELECT artifact_location FROM experiments UNION SELECT artifact_uri FROM runs"
            return [row[0] for row in connection.execute(sql)]


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """A root folder that was renamed while no Jupyter server ran."""
    home = tmp_path_factory.mktemp("before")
    old, new = home / "old home", home / "new home"
    with lab_server(home, root=old) as lab:  # MLflow is not started
        ids = json.loads(lab.run_in_kernel(FILL).splitlines()[-1])
    old.rename(new)
    return Moved(old, new, ids)


@pytest.fixture
def moved(tmp_path: Path, renamed: Moved) -> Moved:
    """One that a test may change."""
    new = tmp_path / "new home"
    shutil.copytree(renamed.new, new)
    return Moved(renamed.old, new, renamed.ids)


def read_artifacts(lab: Lab, moved: Moved) -> None:
    """Read each artifact through the dashboard's API."""
    note = lab.get("/get-artifact", params={"path": "notes/a b.txt", "run_id": moved.ids["run"]})
    assert note.content.decode() == "of the old folder"
    listed = lab.get(f"/ajax-api/2.0/mlflow/artifacts/list?run_id={moved.ids['run']}").json()
    assert [each["path"] for each in listed["files"]] == ["notes"]
    version = {"name": "echo", "version": "1"}
    download = lab.get("/ajax-api/2.0/mlflow/model-versions/get-download-uri", params=version)
    folder = Path(download.json()["artifact_uri"])
    assert folder.is_relative_to(moved.new)
    files = f"/ajax-api/2.0/mlflow/logged-models/{folder.parent.name}/artifacts/files"
    assert "python_function" in lab.get(files, params={"artifact_file_path": "MLmodel"}).text
    trace = lab.get(f"/ajax-api/3.0/mlflow/traces/{moved.ids['trace']}").json()
    tags = trace["trace"]["trace_info"]["tags"]
    assert tags["mlflow.artifactLocation"].startswith(f"{moved.new}/mlartifacts/")


def test_a_moved_root_shows_its_artifacts_at_once(start_lab: StartLab, moved: Moved) -> None:
    lab = start_lab(root=moved.new)
    assert lab.wait_until("ready")["offer"] is None
    read_artifacts(lab, moved)
    log = lab.mlflow_log.read_text()
    assert f'"{moved.old}" was moved to "{moved.new}"' in log
    assert f' locations of artifacts in "{moved.database}"' in log
    printed = lab.run_in_kernel(READ.format(ids=json.dumps(moved.ids))).splitlines()
    assert printed[:3] == ["of the old folder", "['ä']", "42"]
    assert printed[3].startswith(f"{moved.new}/mlartifacts/")
    assert all(location.startswith(f"{moved.new}/") for location in moved.locations())
    assert not moved.old.exists()


def test_a_failed_update_changes_nothing_and_mlflow_starts(
    start_lab: StartLab, moved: Moved
) -> None:
    with closing(sqlite3.connect(moved.database)) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON logged_models "
            "BEGIN SELECT RAISE(ABORT, 'No space left on device'); END"
        )
    lab = start_lab(root=moved.new)
    lab.wait_until("ready")
    assert "Cannot check or update the locations of artifacts in" in lab.mlflow_log.read_text()
    assert all(location.startswith(f"{moved.old}/") for location in moved.locations())
    assert not moved.old.exists()

    with closing(sqlite3.connect(moved.database)) as connection:
        connection.execute("DROP TRIGGER refuse")
    assert lab.post(CONTROL_RESTART, json={}).status_code == 202
    wait_for(lambda: "was moved to" in lab.mlflow_log.read_text(), 60)
    lab.wait_until("ready")
    read_artifacts(lab, moved)
