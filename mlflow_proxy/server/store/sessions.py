"""A transaction on a store's database, by sqlite3 or SQLAlchemy, without importing MLflow."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from mlflow_proxy.shared.stores import sqlite_path

if TYPE_CHECKING:
    import sqlalchemy

# MLflow's variables for MySQL over TLS, and what the drivers call them.
MYSQL_SSL = {
    "ssl_ca": "MLFLOW_MYSQL_SSL_CA",
    "ssl_cert": "MLFLOW_MYSQL_SSL_CERT",
    "ssl_key": "MLFLOW_MYSQL_SSL_KEY",
}
Values = Mapping[str, Any]


class Session(Protocol):
    """Runs SQL with parameters written as `:name`."""

    def columns(self, table: str) -> set[str]:
        """The names of the columns of `table`."""

    def rows(self, sql: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        """The rows that `sql` selects."""

    def change(self, sql: str, values: Sequence[Values]) -> None:
        """Run `sql` once for each of `values`."""


@contextmanager
def session(uri: str, timeout: float) -> Iterator[Session]:
    """A transaction that no other program's changes mix with, rolled back if the block raises.

    `timeout` is in seconds, for SQLite's locks.

    Raises:
        Exception: any exception of the driver.
    """
    opened = _sqlite(uri, timeout) if sqlite_path(uri) else _server(uri)
    with opened as result:
        yield result


@contextmanager
def reader(uri: str, timeout: float) -> Iterator[Session]:
    """As `session`, to read only: with SQLite, other programs may write meanwhile."""
    opened = _sqlite(uri, timeout, begin="BEGIN") if sqlite_path(uri) else _server(uri)
    with opened as result:
        yield result


def engine_of(uri: str) -> "sqlalchemy.Engine":
    """An engine for the database server of `uri` that keeps no connections."""
    import sqlalchemy

    tls = {
        name: os.environ[variable] for name, variable in MYSQL_SSL.items() if variable in os.environ
    }
    return sqlalchemy.create_engine(
        uri,
        poolclass=sqlalchemy.pool.NullPool,
        connect_args=tls if uri.startswith("mysql") else {},
    )


@contextmanager
def _sqlite(uri: str, timeout: float, begin: str = "BEGIN IMMEDIATE") -> Iterator[Session]:
    path = sqlite_path(uri)
    assert path is not None  # noqa: S101 (the callers have checked)
    # Not read-only, because a transaction of a killed program must be rolled back first.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None
    )
    with contextlib.closing(connection):
        connection.execute(begin)
        try:
            yield _SQLite(connection)
        except BaseException:
            if connection.in_transaction:  # after some errors SQLite has rolled back already
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


@contextmanager
def _server(uri: str) -> Iterator[Session]:
    with engine_of(uri).begin() as connection:
        yield _Server(connection)


class _SQLite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> set[str]:
        described = self._connection.execute(_no_rows(table)).description
        return {column[0] for column in described}

    def rows(self, sql: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values or {}).fetchall()

    def change(self, sql: str, values: Sequence[Values]) -> None:
        self._connection.executemany(sql, values)


class _Server:
    def __init__(self, connection: "sqlalchemy.Connection") -> None:
        self._connection = connection

    def columns(self, table: str) -> set[str]:
        import sqlalchemy

        return set(self._connection.execute(sqlalchemy.text(_no_rows(table))).keys())

    def rows(self, sql: str, values: Values | None = None) -> list[tuple[Any, ...]]:
        import sqlalchemy

        return [tuple(row) for row in self._connection.execute(sqlalchemy.text(sql), values or {})]

    def change(self, sql: str, values: Sequence[Values]) -> None:
        import sqlalchemy

        if values:
            self._connection.execute(sqlalchemy.text(sql), values)


def _no_rows(table: str) -> str:
    return f"SELECT * FROM {table} WHERE 1 = 0"  # noqa: S608 (one of our tables)
