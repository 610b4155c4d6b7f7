"""Reads the revision of a store's database before MLflow is imported.

MLflow reports after 105 s that a database does not answer. It upgrades some older databases without
asking, after which older programs cannot open them.
"""

import contextlib
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_proxy.shared import sqlite_creation
from mlflow_proxy.shared.stores import sqlite_path

from . import sessions

if TYPE_CHECKING:
    import sqlalchemy

TIMEOUT = 5.0  # seconds for the database to answer
SERVERS = ("postgresql", "mysql", "mssql")
NO_REVISION = "none"  # MLflow before 1.0 wrote no revision into its databases
REVISION = "SELECT version_num FROM alembic_version"
IS_USED = "SELECT 1 FROM experiments"


def revision_of(uri: str, latest: str) -> str | None:
    """The revision of the database of `uri`; None if it is new, or if the store is no database.

    Waits while another program creates the database, until it has revision `latest`.

    Raises:
        Exception: any exception of the driver, or TimeoutError after `TIMEOUT` seconds.
    """
    if path := sqlite_path(uri):
        return _revision_of_file(path, latest) if path.exists() else None
    if uri.partition(":")[0].partition("+")[0] in SERVERS:
        return _revision_within_timeout(uri)
    return None


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


def _revision_within_timeout(uri: str) -> str | None:
    """Query the server in a thread, because each driver has other time-outs and other options."""
    engine = sessions.engine_of(uri)
    answer: Future[str | None] = Future()

    def ask() -> None:
        try:
            answer.set_result(_read_server(engine))
        except Exception as error:
            answer.set_exception(error)
        engine.dispose()

    threading.Thread(target=ask, daemon=True).start()
    return answer.result(TIMEOUT)


def _read_server(engine: "sqlalchemy.Engine") -> str | None:
    import sqlalchemy

    with engine.connect() as connection:
        tables = sqlalchemy.inspect(connection)
        if tables.has_table("alembic_version"):
            revision = connection.scalar(sqlalchemy.text(REVISION))
            if revision is not None:
                return str(revision)
        if tables.has_table("experiments") and connection.scalar(sqlalchemy.text(IS_USED)):
            return NO_REVISION
    return None
