"""A new SQLite store is complete or absent, however many programs create it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mlflow_proxy import sqlite_files as creation
from mlflow_proxy.addresses import DASHBOARD_URL, STORE_URI
from mlflow_proxy.reports import Step

CREATE_TOGETHER = Path(__file__).parents[1] / "resources" / "create_together.py"


def create_together(folder: Path, *programs: str, with_plugin: bool = False) -> None:
    plugin = {DASHBOARD_URL: "/mlflow", STORE_URI: f"sqlite:///{folder}/mlflow.db"}
    result = subprocess.run(
        [sys.executable, str(CREATE_TOGETHER), str(folder), *programs],
        cwd=folder,
        env={**os.environ, **(plugin if with_plugin else {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def check_store(folder: Path, runs: int) -> None:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM experiments").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (runs,)
    assert not [path for path in folder.iterdir() if path.name.startswith(".mlflow")]


def test_dashboards_that_create_a_store_at_once_all_work(tmp_path: Path) -> None:
    create_together(tmp_path, "dashboard", "dashboard", "dashboard")
    check_store(tmp_path, runs=0)


# The dashboards need a second or two: the kernel starts before and at the end of that.
@pytest.mark.parametrize("delay", ["0", "1.5"])
def test_a_kernel_and_dashboards_that_create_a_store_at_once_all_work(
    tmp_path: Path, delay: str
) -> None:
    create_together(tmp_path, "dashboard", "dashboard", delay)
    check_store(tmp_path, runs=1)


def test_kernels_with_the_package_that_create_a_store_at_once_all_work(tmp_path: Path) -> None:
    create_together(tmp_path, "0", "0", "0", "0.2", with_plugin=True)
    check_store(tmp_path, runs=4)


def test_an_existing_store_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE alembic_version (version_num); CREATE TABLE experiments (id);"
            "INSERT INTO alembic_version VALUES ('latest'); INSERT INTO experiments VALUES (0);"
        )
    before = path.read_bytes()
    steps: list[Step] = []
    creation.ensure(path, create=Path.touch, report=steps.append)
    assert steps == []
    assert path.read_bytes() == before


def test_a_store_that_stays_incomplete_is_left_to_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "QUIET", 0.2)
    path = tmp_path / "mlflow.db"
    path.touch()
    steps: list[Step] = []
    creation.ensure(path, create=Path.touch, report=steps.append)
    assert steps == [Step.WAIT]


def test_a_creation_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def fail(aside: Path) -> None:
        aside.touch()
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        creation.create_aside(tmp_path / "mlflow.db", fail)
    assert list(tmp_path.iterdir()) == []
