"""One program at a time creates or upgrades a database on a server.

MLflow takes a lock for that only on one machine, and not for every kind of store: of ten programs
that open an empty database at the same moment, most fail. This takes a lock in the database itself,
which the server releases when the connection ends, also if this program is killed.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from mlflow_proxy.shared.stores import database_server

from . import sessions

if TYPE_CHECKING:
    import sqlalchemy

KEY = 0x6D6C666C6F77  # "mlflow"
NAME = "CONCAT('mlflow-', MD5(DATABASE()))"
# Takes the lock. PostgreSQL's is of one database, and of a transaction, so that it works through a
# pooler as well. MySQL's is of the whole server.
TAKE = {
    "postgresql": f"SELECT pg_advisory_xact_lock({KEY})",
    "mysql": f"SELECT GET_LOCK({NAME}, 3600)",
}
# Whether another program has it.
IS_TAKEN = {
    "postgresql": f"""
        SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND classid = {KEY >> 32} AND objid = {KEY & 0xFFFFFFFF}
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
        """,  # noqa: S608 (constants)
    "mysql": f"SELECT NOT IS_FREE_LOCK({NAME})",
}

_logger = logging.getLogger(__name__)


@contextmanager
def alone(uris: Sequence[str]) -> Iterator[None]:
    """Hold the lock of the first database of `uris`, which waits for the program that has it.

    One lock is enough for programs with the same stores, and cannot wait for another of this one.
    Goes on without a lock if there is none for this kind of database, or if it cannot be taken.
    """
    with ExitStack() as stack:
        if uris and (take := TAKE.get(database_server(uris[0]))):
            _take(stack, uris[0], take)
        yield


def is_busy(connection: "sqlalchemy.Connection") -> bool:
    """Whether a program creates or upgrades the database of `connection` now."""
    import sqlalchemy

    is_taken = IS_TAKEN.get(connection.dialect.name)
    if not is_taken:
        return False
    try:
        return bool(connection.scalar(sqlalchemy.text(is_taken)))
    except sqlalchemy.exc.DBAPIError as error:  # it only speaks as that kind of server
        _logger.warning("Cannot tell whether the database is locked: %s", error)
        connection.rollback()
        return False


def _take(stack: ExitStack, uri: str, take: str) -> None:
    import sqlalchemy

    try:
        connection = sessions.engine_of(uri).connect()
        stack.callback(_release, connection)
        connection.execute(sqlalchemy.text(take))
    except Exception as error:  # each driver has its own exceptions
        _logger.warning("Cannot lock the database: %s", error)


def _release(connection: "sqlalchemy.Connection") -> None:
    try:
        connection.close()
    except Exception as error:  # the server has ended the connection, and so the lock
        _logger.warning("The lock of the database was lost: %s", error)
