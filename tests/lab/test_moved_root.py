"""A root folder that was moved: the page offers to update the locations of artifacts."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from mlflow_proxy.addresses import CONTROL_DECLINE, CONTROL_REPAIR, CONTROL_START
from support.browser import PATIENCE, chromium, picture
from support.lab import TOKEN, Lab, lab_server

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

    def locations(self, database: Path | None = None) -> list[str]:
        """The locations of the experiments and runs."""
        with closing(sqlite3.connect(database or self.database)) as connection:
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


def test_locations_are_updated_on_request(start_lab: StartLab, moved: Moved) -> None:
    before = moved.database.read_bytes()
    lab = start_lab(root=moved.new)
    status = lab.wait_until("failed")
    assert f'"{moved.old}" was moved or copied to "{moved.new}".' in status["reason"]
    copy = Path(f"{moved.database}.before-move.bak")
    assert status["offer"]["copies"] == [f'"{copy}"']
    # An API client reads why, and does not start MLflow on the old locations.
    answer = lab.get("/api/2.0/mlflow/experiments/search")
    assert answer.status_code == 503
    assert str(moved.old) in answer.json()["message"]
    assert moved.database.read_bytes() == before

    assert lab.post(f"{CONTROL_REPAIR}/locations", json={}).status_code == 202
    lab.wait_until("ready")
    assert all(location.startswith(f"{moved.old}/") for location in moved.locations(copy))
    read_artifacts(lab, moved)
    printed = lab.run_in_kernel(READ.format(ids=json.dumps(moved.ids))).splitlines()
    assert printed[:3] == ["of the old folder", "['ä']", "42"]
    assert printed[3].startswith(f"{moved.new}/mlartifacts/")
    assert all(location.startswith(f"{moved.new}/") for location in moved.locations())
    assert not moved.old.exists()


def test_a_declined_update_is_not_offered_again(start_lab: StartLab, moved: Moved) -> None:
    lab = start_lab(root=moved.new)
    lab.wait_until("failed")
    assert lab.post(f"{CONTROL_DECLINE}/locations", json={}).status_code == 202
    lab.wait_until("ready")
    lab.mlflow.kill()
    lab.wait_until("ready")
    assert all(location.startswith(f"{moved.old}/") for location in moved.locations())
    assert not list(moved.new.glob("*.bak"))


def test_a_failed_update_leaves_everything_as_it_was(start_lab: StartLab, moved: Moved) -> None:
    with closing(sqlite3.connect(moved.database)) as connection:
        connection.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON logged_models "
            "BEGIN SELECT RAISE(ABORT, 'No space left on device'); END"
        )
    lab = start_lab(root=moved.new)
    lab.wait_until("failed")
    assert lab.post(f"{CONTROL_REPAIR}/locations", json={}).status_code == 202
    status = lab.wait_until("failed")
    assert "The locations could not be updated, and nothing was changed." in status["reason"]
    assert all(location.startswith(f"{moved.old}/") for location in moved.locations())
    assert not list(moved.new.glob("*.bak*"))
    assert not moved.old.exists()

    with closing(sqlite3.connect(moved.database)) as connection:
        connection.execute("DROP TRIGGER refuse")
    assert lab.post(CONTROL_START, json={}).status_code == 202
    assert lab.wait_until("failed")["offer"]["repair"] == "locations"
    lab.post(f"{CONTROL_REPAIR}/locations", json={})
    lab.wait_until("ready")
    read_artifacts(lab, moved)


@pytest.mark.browser
def test_the_page_says_what_it_updates(start_lab: StartLab, moved: Moved) -> None:
    # The page has most to say about a copy. This is the last test, because the others need a move.
    shutil.copytree(moved.new, moved.old)
    lab = start_lab(root=moved.new)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{lab.mlflow_url}/?token={TOKEN}#/experiments/0")
        expect(page.get_by_role("alert")).to_contain_text(
            f'"{moved.old}/mlartifacts" was moved or copied'
        )
        picture(page, "moved")
        expect(page.get_by_role("button", name="Open unchanged")).to_be_visible()
        page.get_by_role("button", name="Update locations…").click()
        consent = page.get_by_role("dialog", name="Update locations?")
        expect(consent).to_contain_text(
            f'From: "{moved.old}/mlartifacts"\nTo: "{moved.new}/mlartifacts"'
        )
        picture(page, "move")
        consent.get_by_role("button", name="Update locations").click()
        expect(page.get_by_text("Default", exact=True).first).to_be_visible()
        assert "#/experiments/0" in page.url
    read_artifacts(lab, moved)
