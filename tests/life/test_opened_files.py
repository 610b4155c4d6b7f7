"""A SQLite file that was replaced is told from one that was changed, or is away for a moment."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mlflow_proxy.sqlite_files import GRACE, OpenedFiles, identities

Change = Callable[[Path], object]


def make(path: Path) -> Path:
    """A new database at `path`."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (x)")
        database.commit()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A database in a folder of its own that this process has open."""
    (tmp_path / "store").mkdir()
    path = make(tmp_path / "store" / "mlflow.db")
    with closing(sqlite3.connect(path)) as database:
        database.execute("SELECT * FROM t").fetchall()
        yield path


def is_replaced(files: OpenedFiles, path: Path) -> bool:
    found = asyncio.run(files.replaced())
    assert found in (None, path)
    return found is not None


def write(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO t VALUES (1)")
        database.commit()


def use_write_ahead_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        write(path)


def copy_onto(path: Path) -> None:
    shutil.copyfile(make(path.with_name("other.db")), path)


def rename_onto(path: Path) -> None:
    make(path.with_name("other.db")).rename(path)


def rename_onto_twice(path: Path) -> None:
    rename_onto(path)
    rename_onto(path)


def delete_and_make(path: Path) -> None:
    path.unlink()
    make(path)


def delete_with_its_journals(path: Path) -> None:
    for each in path.parent.glob("mlflow.db*"):
        each.unlink()


def delete_all_and_make(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    make(path)


def move_folder_and_make(path: Path) -> None:
    path.parent.rename(path.parents[1] / "old")
    path.parent.mkdir()
    make(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: None, False),
        (write, False),
        (use_write_ahead_log, False),
        (lambda path: path.chmod(0o600), False),
        (os.utime, False),
        (copy_onto, False),  # SQLite reads the new content
        (Path.unlink, True),
        (delete_with_its_journals, True),
        (lambda path: path.rename(path.with_name("old.db")), True),
        (rename_onto, True),
        (rename_onto_twice, True),
        (delete_and_make, True),
        (delete_all_and_make, True),
        (move_folder_and_make, True),
        (lambda path: shutil.rmtree(path.parent), False),
        (lambda path: path.parent.rename(path.parents[1] / "old"), False),
    ],
)
def test_a_change_is_a_replacement_or_not(path: Path, change: Change, expected: bool) -> None:
    files = OpenedFiles(identities([path]))
    change(path)
    assert is_replaced(files, path) is expected
    assert is_replaced(files, path) is expected


def test_a_folder_that_comes_back_is_the_same(path: Path, tmp_path: Path) -> None:
    files = OpenedFiles(identities([path]))
    path.parent.rename(tmp_path / "away")
    assert not is_replaced(files, path)
    began = time.monotonic()
    assert not is_replaced(files, path)
    assert time.monotonic() - began < GRACE  # only the first look waits
    (tmp_path / "away").rename(path.parent)
    assert not is_replaced(files, path)


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_file_that_is_away_for_a_moment_is_waited_for(path: Path, comes_back: bool) -> None:
    files, away = OpenedFiles(identities([path])), path.with_name("away")
    path.rename(away)

    def put() -> None:
        if comes_back:
            away.rename(path)
        else:
            make(path)

    timer = threading.Timer(GRACE / 3, put)
    timer.start()
    assert is_replaced(files, path) is not comes_back
    timer.join()


def test_another_target_of_a_link_is_a_replacement(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path.name)
    files = OpenedFiles(identities([link]))
    assert not is_replaced(files, link)
    make(path.with_name("other.db"))
    path.with_name("new.db").symlink_to("other.db")
    path.with_name("new.db").rename(link)
    assert is_replaced(files, link)


def test_a_link_into_a_folder_that_is_away_is_no_replacement(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    files = OpenedFiles(identities([link]))
    path.parent.rename(tmp_path / "away")
    assert not is_replaced(files, link)


def test_a_file_that_did_not_exist_has_no_identity(path: Path) -> None:
    missing = path.with_name("missing.db")
    assert [*identities([missing, path])] == [str(path)]
    assert asyncio.run(OpenedFiles(identities([missing])).replaced()) is None


def test_the_file_of_the_registry_is_looked_at_as_well(path: Path) -> None:
    registry = make(path.with_name("registry.db"))
    files = OpenedFiles(identities([path, registry]))
    rename_onto(registry)
    assert is_replaced(files, registry)


def test_a_file_that_cannot_be_looked_at_is_not_replaced(path: Path, tmp_path: Path) -> None:
    files = OpenedFiles(identities([path]))
    path.parent.rename(tmp_path / "away")
    path.parent.symlink_to(path.parent.name)  # a loop of links: ELOOP
    assert not is_replaced(files, path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_a_file_that_may_not_be_looked_at_is_not_replaced(path: Path) -> None:
    files = OpenedFiles(identities([path]))
    path.parent.chmod(0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError):
            path.stat()
        assert not is_replaced(files, path)
    finally:
        os.seteuid(0)
    assert not is_replaced(files, path)


def test_looking_drops_no_lock(path: Path) -> None:
    """It would if it opened and closed the file: POSIX locks belong to the process."""
    files = OpenedFiles(identities([path]))
    attempt = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=0);"
        "database.execute('BEGIN EXCLUSIVE')"
    )
    with closing(sqlite3.connect(path)) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert not is_replaced(files, path)
        command = [sys.executable, "-c", attempt, str(path)]
        assert os.spawnv(os.P_WAIT, command[0], ["python", *command[1:]]) != 0
        database.rollback()
        assert os.spawnv(os.P_WAIT, command[0], ["python", *command[1:]]) == 0
