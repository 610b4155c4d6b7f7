"""Failures that SQLite, Python and others raise have a reason and a remedy."""

from __future__ import annotations

import errno
import importlib
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from mlflow_proxy.server import failures

STORE = "/work/my mlflow.db"


def full_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "full.db")) as database:
        database.execute("PRAGMA max_page_count = 1")
        database.execute("CREATE TABLE t (x)")


def full_disk(_: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_database(folder: Path) -> None:
    (folder / "text.db").write_text("not a database" * 100)
    with closing(sqlite3.connect(folder / "text.db")) as database:
        database.execute("SELECT * FROM sqlite_master")


def damaged_database(folder: Path) -> None:
    path = folder / "damaged.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (x)")
        database.commit()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096)
    with closing(sqlite3.connect(path)) as database:
        database.execute("SELECT * FROM t").fetchall()


def readonly_database(folder: Path) -> None:
    sqlite3.connect(folder / "readonly.db").close()
    uri = f"{(folder / 'readonly.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        database.execute("CREATE TABLE t (x)")


def missing_folder(folder: Path) -> None:
    sqlite3.connect(folder / "none" / "mlflow.db")


@pytest.mark.parametrize(
    ("fail", "reason", "remedy"),
    [
        (full_database, f'The disk of "{STORE}" is full.', "Free some space"),
        (full_disk, f'The disk of "{STORE}" is full.', "Free some space"),
        (no_database, f'The file of "{STORE}" is not a SQLite database.', "Move the file away"),
        (damaged_database, f'The database "{STORE}" is damaged.', f"sqlite3 '{STORE}' .dump"),
        (readonly_database, f'The store "{STORE}" cannot be written to.', "c.MLflowProxy.setting"),
        (missing_folder, f'The store "{STORE}" cannot be written to.', "c.MLflowProxy.setting"),
        (
            lambda _: importlib.import_module("MySQLdb"),
            "The Python module MySQLdb is missing, which SQLAlchemy takes for mysql://.",
            f"Run:\n    {sys.executable} -m pip install PyMySQL\nThen write mysql+pymysql://",
        ),
        (
            lambda _: importlib.import_module("google.cloud"),
            "The Python package google-cloud-storage is missing: the module google cannot be "
            "imported.",
            f"Run:\n    {sys.executable} -m pip install google-cloud-storage",
        ),
        (
            lambda _: sqlalchemy.create_engine("nonsense://host/database"),
            f'The store\'s URI "{STORE}" cannot be read, or names an unknown database or driver.',
            "c.MLflowProxy.setting",
        ),
        (
            lambda _: sqlalchemy.create_engine("postgresql://host:port/database"),
            f'The store\'s URI "{STORE}" cannot be read, or names an unknown database or driver.',
            "%40 for an at sign",
        ),
    ],
)
def test_a_failure_has_a_reason_and_a_remedy(
    fail: Callable[[Path], None], reason: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (each failure has its own type)
        fail(tmp_path)
    known = failures.explain(caught.value, STORE, "setting").failure
    assert known.reason == reason
    assert remedy in known.remedy


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('FATAL:  role "me" does not exist', "refuses the user or the password"),
        (
            "(1045, \"Access denied for user 'me'@'host' (using password: YES)\")",
            "refuses the user",
        ),
        ("(1049, \"Unknown database 'mlflow'\")", "does not exist"),
        ("(2003, \"Can't connect to MySQL server on 'host' ([Errno 111])\")", "cannot be reached"),
        ("ERROR:  permission denied for schema public", "permission denied for schema public"),
        ("FATAL:  sorry, too many clients already", "too many clients"),
        ("Can't locate revision identified by 'f00'", "(revision f00) is of a newer MLflow"),
        ("[Errno 12] Cannot allocate memory", "Cannot allocate memory"),
    ],
)
def test_a_message_of_another_program_has_a_reason_and_a_remedy(said: str, reason: str) -> None:
    known = failures.explain(RuntimeError(said), "postgresql://host/{database}").failure
    assert reason in known.reason
    assert known.remedy


def test_a_store_of_an_unknown_kind_has_the_known_kinds_in_its_reason() -> None:
    with pytest.raises(MlflowException) as caught:
        MlflowClient("nonsense://host").search_experiments()
    known = failures.explain(caught.value, "nonsense://host").failure
    assert "Supported URI schemes are: " in known.reason
    assert "'postgresql'" in known.reason


def test_a_refused_file_store_has_its_migration_as_remedy() -> None:
    said = RuntimeError("set `MLFLOW_ALLOW_FILE_STORE=true` to opt out of this exception.")
    known = failures.explain(said, "file:///my%20work/runs").failure
    command = "mlflow migrate-filestore '--source=/my work/runs'"
    assert f"{command} '--target=sqlite:////my work/mlflow.db'\nIf " in known.remedy


def test_the_cause_of_an_error_is_explained() -> None:
    error = RuntimeError("It does not work.")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert failures.explain(error, STORE).failure.reason == f'The disk of "{STORE}" is full.'


def test_an_unknown_error_keeps_its_own_message() -> None:
    known = failures.explain(ValueError("It is {odd}.\nVery."), STORE).failure
    assert known.reason == '"It is {odd}."'
    assert failures.explain(KeyError(), STORE).failure.reason == "KeyError"
