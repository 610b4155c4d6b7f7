"""A new SQLite store is complete or absent, and a file is checked before it is read."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mlflow_proxy import kernels, sqlite_files
from mlflow_proxy.addresses import DASHBOARD_URL, STORE_URI
from mlflow_proxy.reports import Step
from support.hostile_files import HOSTILE, make_store

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
    sqlite_files.ensure(path, create=print, report=steps.append)
    assert steps == []
    assert path.read_bytes() == before


def test_a_store_that_stays_incomplete_is_left_to_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "QUIET", 0.2)
    path = tmp_path / "mlflow.db"
    path.touch()
    steps: list[Step] = []
    sqlite_files.ensure(path, create=print, report=steps.append)
    assert steps == [Step.WAIT]


def test_a_creation_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def fail(uri: str) -> None:
        Path(uri.removeprefix("sqlite:///")).touch()
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        sqlite_files.create_aside(tmp_path / "mlflow.db", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mlflow.db"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_seconds(path: Path, name: str) -> None:
    HOSTILE[name](path)
    began = time.monotonic()
    with pytest.raises(sqlite_files.RefusedFileError, match="not a"):
        sqlite_files.connect(path)
    with pytest.raises(sqlite_files.RefusedFileError, match="not a"):  # in a kernel
        sqlite_files.ensure(path, create=print, report=lambda _: None)
    assert not kernels._holds_served_artifacts(path)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("location", ["mlflow-artifacts:/1", "/artifacts/1"])
def test_a_store_is_read_also_behind_a_link_and_beside_what_its_users_made(
    path: Path, tmp_path: Path, location: str
) -> None:
    make_store(
        tmp_path / "real.db",
        f"INSERT INTO experiments VALUES (1, '{location}');"
        "CREATE VIEW my_report AS SELECT * FROM experiments;"
        "CREATE TRIGGER watch AFTER INSERT ON runs BEGIN SELECT 1; END;",
    )
    path.symlink_to("real.db")
    assert sqlite_files.is_complete(path)
    assert kernels._holds_served_artifacts(path) is location.startswith("mlflow-artifacts:")


def test_a_query_has_a_deadline(path: Path) -> None:
    make_store(path)
    with closing(sqlite_files.connect(path, seconds=0.3)) as connection:
        assert connection.execute("SELECT count(*) FROM experiments").fetchone() == (0,)
        began = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT max(x) FROM n"
            ).fetchone()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "content", [b"", b"no database at all", b"SQLite format 3\0" + bytes(4000)]
)
def test_a_file_that_is_no_database_holds_nothing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert not kernels._holds_served_artifacts(path)
    assert not sqlite_files.is_complete(path)


def test_a_locked_database_is_not_waited_for_by_jupyter(path: Path) -> None:
    make_store(path, "INSERT INTO experiments VALUES (1, 'mlflow-artifacts:/1')")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert not kernels._holds_served_artifacts(path)
        assert time.monotonic() - began < 4 * kernels.TIMEOUT


def swap(folder: Path) -> None:
    """What another user can do to a folder of ours: rename it, and another one to its name."""
    folder.rename(folder.with_name("renamed"))
    folder.with_name("valuable").rename(folder)


@pytest.mark.parametrize("act", [swap, lambda _: None])
def test_a_folder_that_was_renamed_meanwhile_is_not_removed(
    path: Path, act: Callable[[Path], None]
) -> None:
    valuable = path.with_name("valuable")
    valuable.mkdir()
    (valuable / "mlflow.db").write_text("valuable")
    with sqlite_files.made_aside(path) as (aside, link):
        assert stat.S_IMODE(aside.parent.stat().st_mode) == 0o700
        assert aside.parent.parent == path.parent
        make_store(aside)
        act(aside.parent)
        link(path)
    assert sqlite_files.is_complete(path) is False
    assert path.read_bytes().startswith(b"SQLite format 3")
    assert [each.read_text() for each in path.parent.glob("*/mlflow.db")] == ["valuable"]
    assert [each.read_text() for each in path.parent.glob(".*/mlflow.db")] in ([], ["valuable"])


def test_nothing_is_written_through_a_link_that_others_planted(path: Path, tmp_path: Path) -> None:
    other = make_store(tmp_path / "other.db", "INSERT INTO experiments VALUES (7, 'mine')")
    before = other.read_bytes()
    path.symlink_to("other.db")
    with sqlite_files.made_aside(path) as (aside, link):
        make_store(aside)
        with pytest.raises(FileExistsError):
            link(path)
    path.unlink()
    path.symlink_to("missing.db")
    assert not sqlite_files.create_aside(path, create=print)
    assert other.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mlflow.db", "other.db"]
