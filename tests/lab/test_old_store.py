"""A store that an earlier `mlflow ui` or `mlflow server` made in Jupyter's root folder."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from support.lab import Lab, lab_server
from support.processes import environment
from support.tracking_server import tracking_server

EARLIER = """
import mlflow
mlflow.set_experiment("earlier")
with mlflow.start_run() as run:
    mlflow.log_text("from earlier", "note.txt")
with mlflow.start_run() as deleted:
    mlflow.log_text("not wanted", "note.txt")
mlflow.delete_run(deleted.info.run_id)
print(run.info.run_id, deleted.info.run_id)
"""
NOW = """
import mlflow
assert mlflow.artifacts.load_text("runs:/{run_id}/note.txt") == "from earlier"
for name in ("earlier", "Default", "new"):
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        mlflow.log_text("from now", "note.txt")
    assert mlflow.artifacts.load_text(f"runs:/{{run.info.run_id}}/note.txt") == "from now"
    print(run.info.run_id)
"""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A root folder with the store of an `mlflow server`; ids of a run and of a deleted one."""
    home = tmp_path_factory.mktemp("earlier")
    root = home / "work"
    with tracking_server(root) as server:
        run = subprocess.run(
            [sys.executable, "-c", EARLIER],
            cwd=home,
            env=environment(home, {"MLFLOW_TRACKING_URI": server.url}),
            check=True,
            capture_output=True,
            text=True,
        )
    (root / "artifacts").rename(root / "mlartifacts")  # where `mlflow ui` keeps them by default
    run_id, deleted = run.stdout.split()[-2:]
    return root, run_id, deleted


@pytest.fixture(scope="module")
def old_lab(earlier: tuple[Path, str, str]) -> Iterator[Lab]:
    """A Lab on that store, without configuration."""
    root = earlier[0]
    with lab_server(root.parent, root=root) as lab:
        yield lab


def test_old_artifacts_are_read_and_old_experiments_are_logged_to(
    old_lab: Lab, earlier: tuple[Path, str, str]
) -> None:
    printed = old_lab.run_in_kernel(NOW.format(run_id=earlier[1]))
    for run_id in [earlier[1], *printed.split()[-3:]]:
        found = old_lab.get("/get-artifact", params={"run_id": run_id, "path": "note.txt"})
        assert found.text in ("from earlier", "from now")


def test_mlflow_gc_removes_the_files_of_deleted_runs(
    old_lab: Lab, earlier: tuple[Path, str, str]
) -> None:
    root, _, deleted = earlier
    assert [*root.glob(f"mlartifacts/*/{deleted}/artifacts/note.txt")]
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri"]
    store, variables = f"sqlite:///{root}/mlflow.db", old_lab.kernel_variables()
    subprocess.run([*command, store], env=variables, cwd=root, check=True, capture_output=True)
    assert not [*root.glob(f"mlartifacts/*/{deleted}/artifacts/note.txt")]
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        left = database.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (deleted,)).fetchall()
    assert left == []


def test_credentials_of_another_server_leave_kernels_at_the_database(
    earlier: tuple[Path, str, str], start_lab: Callable[..., Lab]
) -> None:
    variables = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"}
    lab = start_lab(root=earlier[0], env=variables)
    assert lab.kernel_variables()["MLFLOW_TRACKING_URI"] == f"sqlite:///{earlier[0]}/mlflow.db"


def test_a_chosen_address_and_credentials_of_another_server_are_a_warning(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    env = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"}
    config = "c.MLflowProxy.kernels = 'server'"
    lab = start_lab(tmp_path / "warned", config=config, env=env)
    log = lab.log.read_text()
    assert "finds in MLFLOW_TRACKING_USERNAME" in log
    url = lab.kernel_variables()["MLFLOW_TRACKING_URI"]
    search = f"{url}/api/2.0/mlflow/experiments/search?max_results=1"
    answer = requests.get(search, auth=("me", "secret"), timeout=30)
    assert answer.status_code == 401
    assert "MLFLOW_TRACKING_USERNAME" in answer.json()["message"]
    # As the warning says: the other store for kernels, or no credentials of others.
    ((setting, value),) = re.findall(r"or set (c\.MLflowProxy\.kernels) to ('\w+')", log)
    lab = start_lab(tmp_path / "database", config=f"{setting} = {value}", env=env)
    lab.run_in_kernel("import mlflow; mlflow.create_experiment('of a kernel')")
    with closing(sqlite3.connect(lab.root / "mlflow.db")) as database:
        assert ("of a kernel",) in database.execute("SELECT name FROM experiments").fetchall()
    lab = start_lab(tmp_path / "removed", config=config)
    assert "sends the credentials" not in lab.log.read_text()
