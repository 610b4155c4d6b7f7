"""Transactions on a store's database by SQLAlchemy, without importing MLflow."""

import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from mlflow_proxy.stores import Database, SQLite

if TYPE_CHECKING:
    import sqlalchemy

    Transaction = AbstractContextManager[sqlalchemy.Connection]

TIMEOUT = 5.0  # seconds for the database to answer
# MLflow's variables for MySQL over TLS, and what the drivers call them.
MYSQL_SSL = {
    "ssl_ca": "MLFLOW_MYSQL_SSL_CA",
    "ssl_cert": "MLFLOW_MYSQL_SSL_CERT",
    "ssl_key": "MLFLOW_MYSQL_SSL_KEY",
}
T = TypeVar("T")


def reading(store: Database) -> "Transaction":
    """A transaction to read; other programs may write to a SQLite store meanwhile."""
    return engine_of(store).begin()


def changing(store: Database, timeout: float) -> "Transaction":
    """A transaction that no other program's changes mix with, rolled back if the block raises.

    Waits for another program's changes to a SQLite store, for `timeout` seconds.
    """
    return engine_of(store, timeout, "BEGIN IMMEDIATE").begin()


def engine_of(
    store: Database, timeout: float = TIMEOUT, begin: str = "BEGIN"
) -> "sqlalchemy.Engine":
    """An engine that keeps no connections.

    `timeout`, in seconds, and `begin` are those of a SQLite store.
    """
    import sqlalchemy

    options: dict[str, Any] = {"poolclass": sqlalchemy.pool.NullPool, "hide_parameters": True}
    if not isinstance(store, SQLite):
        if store.kind == "mysql":
            tls = {name: os.environ[key] for name, key in MYSQL_SSL.items() if key in os.environ}
            options["connect_args"] = tls
        return sqlalchemy.create_engine(store.uri, **options)
    # Not read-only, because a transaction of a killed program must be rolled back first.
    uri = f"{store.path.as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)

    def on_begin(connection: "sqlalchemy.Connection") -> None:
        connection.exec_driver_sql(begin)

    engine = sqlalchemy.create_engine("sqlite://", creator=connect, **options)
    sqlalchemy.event.listen(engine, "begin", on_begin)
    return engine


def table(name: str, *columns: str) -> "sqlalchemy.TableClause":
    """A table of MLflow's with these columns, for queries."""
    import sqlalchemy

    return sqlalchemy.table(name, *(sqlalchemy.column(column) for column in columns))


def within(seconds: float | None, action: Callable[[], T]) -> T:
    """Run `action` in a thread, which goes on after a time-out; None: there is none.

    Raises:
        concurrent.futures.TimeoutError: it takes longer.
        Exception: any exception of `action`.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(action())
        except Exception as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(seconds)
