"""Reads the revision of a store's database before MLflow is imported.

MLflow reports after 105 s that a database does not answer. It upgrades some older databases without
asking, after which older programs cannot open them.
"""

import contextlib
import sqlite3
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_proxy.shared import sqlite_creation
from mlflow_proxy.shared.stores import database_server, sqlite_path

from . import server_creation, sessions

if TYPE_CHECKING:
    import sqlalchemy

TIMEOUT = 5.0  # seconds for the database to answer
NO_REVISION = "none"  # MLflow before 1.0 wrote no revision into its databases
REVISION = "SELECT version_num FROM alembic_version"
IS_USED = "SELECT 1 FROM experiments"
EXPERIMENTS = "SELECT COUNT(*) FROM experiments"  # drivers fetch all rows of a result
QUIET = 3.0  # seconds without a new revision after which no program is creating a database any more
INTERVAL = 0.1  # seconds between checks


@dataclass(frozen=True)
class Content:
    """What a database on a server holds."""

    revision: str | None
    is_used: bool
    """Whether it has experiments; no other program is creating it then."""


def revision_of(uri: str, latest: str, is_locked: bool = False) -> str | None:
    """The revision of the database of `uri`; None if it is new, or if the store is no database.

    Waits while another program creates the database, until it has revision `latest`. One on a
    server counts as new while another program holds its lock, unless `is_locked` by this one.

    Raises:
        Exception: any exception of the driver, or TimeoutError after `TIMEOUT` seconds.
    """
    if path := sqlite_path(uri):
        return _revision_of_file(path, latest) if path.exists() else None
    return _revision_on_server(uri, latest, is_locked) if database_server(uri) else None


def _revision_of_file(path: Path, latest: str) -> str | None:
    revision = _read_file(path)
    if revision not in (None, latest):  # another program may be creating it
        sqlite_creation.wait_until_created(path, latest)
        revision = _read_file(path)
    return revision


def _read_file(path: Path) -> str | None:
    # Not read-only, because a transaction of a killed program must be rolled back first.
    database = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=TIMEOUT)
    with contextlib.closing(database):
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in names}
        if "alembic_version" in tables and (row := database.execute(REVISION).fetchone()):
            return str(row[0])
        if "experiments" in tables and database.execute(IS_USED).fetchone():
            return NO_REVISION
    return None


def _revision_on_server(uri: str, latest: str, is_locked: bool) -> str | None:
    content = _read_within_timeout(uri, is_locked)
    since = time.monotonic()
    # MySQL shows each step of a creation. MLflow makes the first experiment last.
    while content.revision not in (None, latest) and not content.is_used:
        if time.monotonic() - since > QUIET:
            break
        time.sleep(INTERVAL)
        before, content = content, _read_within_timeout(uri, is_locked)
        since = since if content == before else time.monotonic()
    return content.revision or (NO_REVISION if content.is_used else None)


def _read_within_timeout(uri: str, is_locked: bool) -> Content:
    """Query the server in a thread, because each driver has other time-outs and other options."""
    engine = sessions.engine_of(uri)
    answer: Future[Content] = Future()

    def ask() -> None:
        try:
            answer.set_result(_read_server(engine, is_locked))
        except Exception as error:
            answer.set_exception(error)
        engine.dispose()

    threading.Thread(target=ask, daemon=True).start()
    return answer.result(TIMEOUT)


def _read_server(engine: "sqlalchemy.Engine", is_locked: bool) -> Content:
    import sqlalchemy

    with engine.connect() as connection:
        if not is_locked and server_creation.is_busy(connection):
            return Content(None, is_used=False)
        tables, revision = sqlalchemy.inspect(connection), None
        if tables.has_table("alembic_version"):
            revision = connection.scalar(sqlalchemy.text(REVISION))
        has_experiments = tables.has_table("experiments")
        is_used = has_experiments and bool(connection.scalar(sqlalchemy.text(EXPERIMENTS)))
        return Content(revision and str(revision), is_used)
