"""What may be in the place of a SQLite store that came with a cloned repository, or from others."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE alembic_version (version_num);
CREATE TABLE experiments (experiment_id, artifact_location);
CREATE TABLE runs (run_uuid);
"""
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


def make_store(path: Path, script: str = "", schema: str = SCHEMA) -> Path:
    """Make a database at `path` with some of MLflow's tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema + script)
    return path


def instead_of_experiments(definition: str) -> Callable[[Path], object]:
    """Make a store in which `definition` takes the place of the table `experiments`."""
    return lambda path: make_store(path, f"DROP TABLE experiments; {definition}")


def beside(suffix: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Make a store, and something with this suffix beside it."""
    return lambda path: make(Path(f"{make_store(path)}{suffix}"))


def link_to_a_pipe(path: Path) -> None:
    """Make a link to a named pipe."""
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def link_to_a_file(path: Path) -> None:
    """Make a link to a file."""
    path.with_name("other").touch()
    path.symlink_to("other")


HOSTILE: dict[str, Callable[[Path], object]] = {
    "endless view": instead_of_experiments(
        f"CREATE VIEW experiments AS {ENDLESS} SELECT x AS experiment_id, '' AS artifact_location,"
        " '' AS name FROM n"
    ),
    "view of another spelling": instead_of_experiments(
        f"CREATE VIEW Experiments AS {ENDLESS} SELECT x AS artifact_location FROM n"
    ),
    "computed column": instead_of_experiments(
        "CREATE TABLE experiments (x, artifact_location AS (hex(zeroblob(100000000))));"
        "INSERT INTO experiments VALUES (1)"
    ),
    "virtual table": instead_of_experiments(
        "CREATE VIRTUAL TABLE experiments USING fts4(artifact_location)"
    ),
    "view of revisions": lambda path: make_store(
        path,
        "DROP TABLE alembic_version;"
        f"CREATE VIEW alembic_version AS {ENDLESS} SELECT x AS version_num FROM n",
    ),
    "view of traces": lambda path: make_store(
        path, f"CREATE VIEW trace_tags AS {ENDLESS} SELECT x AS value FROM n"
    ),
    "named pipe": os.mkfifo,
    "link to a named pipe": link_to_a_pipe,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "journal that is a named pipe": beside("-journal", os.mkfifo),
    "journal that is a link": beside("-journal", link_to_a_file),
    "log that is a named pipe": beside("-wal", os.mkfifo),
}
