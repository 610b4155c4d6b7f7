"""An older database is upgraded only with consent, and a copy of it is kept."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlflow_proxy import sqlite_files
from mlflow_proxy.reports import Offer
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.store import upgrade
from mlflow_proxy.server.store.settings import StoreSettings
from mlflow_proxy.server.store.upgrade import Revisions
from mlflow_proxy.stores import Database
from support.hostile_files import HOSTILE

REVISIONS = Revisions("latest", frozenset({"older", "latest"}))
LONG_AGO = 1_000_000_000  # so that no program can be creating it now
SCHEMA = "CREATE TABLE alembic_version (version_num); CREATE TABLE experiments (id);"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "mlflow.db"
    write(path, f"{SCHEMA} INSERT INTO alembic_version VALUES ('older')")
    return path


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def write(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    os.utime(path, (LONG_AGO, LONG_AGO))


def read(path: Path, sql: str) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def settings(path: Path) -> StoreSettings:
    return StoreSettings.parse(f"sqlite:///{path}", f"sqlite:///{path}", str(path.parent))


def test_an_older_database_is_offered_an_upgrade(path: Path) -> None:
    with pytest.raises(StartError, match="older MLflow") as caught:
        upgrade.check(settings(path), REVISIONS)
    assert caught.value.failure.offer == Offer(str(path), f"{path}.older.bak")


def test_an_upgrade_is_offered_for_an_own_file_and_where_the_admin_allows_it(path: Path) -> None:
    own = settings(path)
    assert own.may_upgrade(own.files[0]) is (path.stat().st_uid == os.geteuid())
    uri = "postgresql+psycopg://me:hunter2@db.example/mlflow"
    of_team = StoreSettings.parse(uri, uri, "/tmp")
    assert not of_team.may_upgrade(of_team.servers[0])
    for allowed, told in (("true", True), ("false", False)):
        for store in (own, of_team):
            (database,) = store.databases.values()
            assert replace(store, allow_upgrade=allowed).may_upgrade(database) is told


def test_who_may_not_upgrade_is_told_the_administrators_command(path: Path) -> None:
    forbidden = replace(settings(path), allow_upgrade="false")
    with pytest.raises(StartError, match="older MLflow") as caught:
        upgrade.check(forbidden, REVISIONS)
    assert caught.value.failure.offer is None
    assert f"-m mlflow db upgrade sqlite:///{path}" in caught.value.failure.remedy
    # Also a request that the page does not offer.
    with pytest.raises(StartError, match="older MLflow"):
        upgrade.run(forbidden, REVISIONS, lambda _: pytest.fail("it was upgraded"))
    of_team = Database("postgresql://me:hunter2@db.example/mlflow", "postgresql")
    told = upgrade.outdated(of_team, "older", REVISIONS, may_upgrade=False).failure.remedy
    assert "db upgrade 'postgresql://me:***@db.example/mlflow'" in told
    assert "c.MLflowProxy.python" in told


def test_a_database_without_a_revision_is_older_if_it_is_used(path: Path) -> None:
    write(path, "DROP TABLE alembic_version")
    upgrade.check(settings(path), REVISIONS)  # another program may be creating it
    write(path, "INSERT INTO experiments VALUES (0)")
    with pytest.raises(StartError, match="older MLflow"):
        upgrade.check(settings(path), REVISIONS)


def test_a_newer_database_is_not_offered_an_upgrade(path: Path) -> None:
    write(path, "UPDATE alembic_version SET version_num = 'newer'")
    with pytest.raises(StartError, match="newer MLflow") as caught:
        upgrade.check(settings(path), REVISIONS)
    assert caught.value.failure.offer is None
    assert "-m pip install --upgrade mlflow" in caught.value.failure.remedy


def test_a_separate_registry_is_checked_and_upgraded(path: Path) -> None:
    stores = StoreSettings.parse(f"sqlite:///{path}.new", f"sqlite:///{path}", str(path.parent))
    with pytest.raises(StartError, match="older MLflow"):
        upgrade.check(stores, REVISIONS)
    upgraded: list[str] = []
    upgrade.run(stores, REVISIONS, upgraded.append)
    assert upgraded == [stores.registry_store.uri]


def test_an_up_to_date_database_is_not_touched(path: Path) -> None:
    write(path, "UPDATE alembic_version SET version_num = 'latest'")
    upgrade.check(settings(path), REVISIONS)
    upgrade.run(settings(path), REVISIONS, lambda _: pytest.fail("it was upgraded"))
    assert [each.name for each in path.parent.iterdir()] == ["mlflow.db"]


def test_a_copy_has_the_committed_data_and_nothing_else(path: Path) -> None:
    path.chmod(0o640)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO experiments VALUES (1)")
        writer.commit()
        writer.execute("INSERT INTO experiments VALUES (2)")
        copy = sqlite_files.copy_aside(path, "older")
    assert copy == path.with_name("mlflow.db.older.bak")
    assert read(copy, "SELECT id FROM experiments") == [(1,)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert not list(path.parent.glob("*.part"))


def test_a_second_copy_does_not_replace_the_first(path: Path) -> None:
    sqlite_files.copy_aside(path, "older")
    assert sqlite_files.copy_aside(path, "older").name == "mlflow.db.older-2.bak"


@pytest.mark.parametrize("planted", ["mlflow.db.older.bak", "mlflow.db.older.bak.part"])
@pytest.mark.parametrize("target", ["other.db", "missing.db"])
def test_a_copy_follows_no_link_that_others_planted(path: Path, planted: str, target: str) -> None:
    other = path.with_name("other.db")
    write(other, "CREATE TABLE valuable (x)")
    before = other.read_bytes()
    path.with_name(planted).symlink_to(target)
    offered = [sqlite_files.free_copy_path(path, "older")]
    copy = sqlite_files.copy_aside(path, "older")
    assert [copy] == offered
    assert not copy.is_symlink()
    assert read(copy, "SELECT * FROM alembic_version") == [("older",)]
    assert other.read_bytes() == before
    names = {each.name for each in path.parent.iterdir()}
    assert names == {"mlflow.db", "other.db", planted, copy.name}


def start(path: Path) -> None:
    """Check the store as a start does."""
    settings(path).check()
    upgrade.check(settings(path), REVISIONS)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_explained_in_seconds(path: Path, name: str) -> None:
    path.unlink()
    HOSTILE[name](path)
    began = time.monotonic()
    with pytest.raises(StartError) as caught:
        start(path)
    assert f"The database {path} " in caught.value.failure.reason
    assert "not a" in caught.value.failure.reason
    assert "Move it away" in caught.value.failure.remedy
    assert caught.value.failure.offer is None
    with pytest.raises(StartError, match="not a"):
        upgrade.run(settings(path), REVISIONS, lambda _: pytest.fail("it was upgraded"))
    assert time.monotonic() - began < 10


def test_a_revision_is_no_text_for_the_page(path: Path) -> None:
    write(path, "UPDATE alembic_version SET version_num = 'Your database is infected.\nRun it'")
    with pytest.raises(StartError, match=r"\(revision Your\) is of a newer MLflow"):
        upgrade.check(settings(path), REVISIONS)


def test_a_copy_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_files, "COPY_TIMEOUT", 0.1)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite_files.copy_aside(path, "older")
    assert not list(path.parent.glob("*.bak*"))


def test_a_database_that_could_not_be_copied_is_upgraded_once_it_is_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "COPY_TIMEOUT", 0.1)
    copy_aside = sqlite_files.copy_aside
    upgraded: list[str] = []
    with closing(sqlite3.connect(path)) as writer:

        def copy_while_it_is_locked(*arguments: Any) -> Path:
            writer.execute("BEGIN EXCLUSIVE")
            return copy_aside(*arguments)

        monkeypatch.setattr(sqlite_files, "copy_aside", copy_while_it_is_locked)
        with pytest.raises(StartError, match="could not be copied, and was not changed") as caught:
            upgrade.run(settings(path), REVISIONS, upgraded.append)
        assert caught.value.failure.remedy.startswith("Wait until that program is done, or end it")
        assert not upgraded
    monkeypatch.setattr(sqlite_files, "copy_aside", copy_aside)
    upgrade.run(settings(path), REVISIONS, upgraded.append)
    assert upgraded == [f"sqlite:///{path}"]
    assert path.with_name("mlflow.db.older.bak").exists()


def test_a_database_that_takes_too_long_to_read_is_moved_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, "".join(f"CREATE TABLE t{number} (x);" for number in range(1000)))
    at_once = partial(sqlite_files.connect, seconds=0.0)
    monkeypatch.setattr(sqlite_files, "connect", at_once)
    with pytest.raises(StartError, match="It takes too long to read the database ") as caught:
        upgrade.check(settings(path), REVISIONS)
    assert caught.value.failure.remedy.startswith("Move it away, or correct the store's URI")
    path.rename(path.with_name("away"))
    assert upgrade.check(settings(path), REVISIONS) == []  # a new one is made


def test_a_failed_upgrade_names_the_copy(path: Path) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("The migration is wrong.")

    with pytest.raises(StartError, match=r'has failed: "The migration is wrong\."') as caught:
        upgrade.run(settings(path), REVISIONS, fail)
    assert f"cp {path}.older.bak {path}" in caught.value.failure.remedy
    assert Path(f"{path}.older.bak").exists()


def test_a_server_that_never_answers_is_given_up_after_seconds(
    monkeypatch: pytest.MonkeyPatch, silent_port: int
) -> None:
    monkeypatch.setattr(sqlite_files, "TIMEOUT", 0.5)
    uri = f"postgresql+psycopg://me:hunter2@127.0.0.1:{silent_port}/mlflow"
    with pytest.raises(StartError, match=r"me:\*\*\*@127.0.0.1:.* cannot be reached"):
        upgrade.check(StoreSettings.parse(uri, uri, "/tmp"), REVISIONS)
