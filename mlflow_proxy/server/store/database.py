"""Connections to a store's database by SQLAlchemy, without importing MLflow."""

import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from mlflow_proxy.stores import Database, SQLite

if TYPE_CHECKING:
    import sqlalchemy

TIMEOUT = 5.0  # seconds for the database to answer
# MLflow's variables for MySQL over TLS, and what the drivers call them.
MYSQL_SSL = {
    "ssl_ca": "MLFLOW_MYSQL_SSL_CA",
    "ssl_cert": "MLFLOW_MYSQL_SSL_CERT",
    "ssl_key": "MLFLOW_MYSQL_SSL_KEY",
}
T = TypeVar("T")


def engine_of(store: Database) -> "sqlalchemy.Engine":
    """An engine that keeps no connections."""
    import sqlalchemy

    options: dict[str, Any] = {"poolclass": sqlalchemy.pool.NullPool, "hide_parameters": True}
    if isinstance(store, SQLite):
        # Not read-only, because a transaction of a killed program must be rolled back first.
        uri = f"{store.path.as_uri()}?mode=rw"
        options["creator"] = lambda: sqlite3.connect(uri, uri=True, timeout=TIMEOUT)
        return sqlalchemy.create_engine("sqlite://", **options)
    if store.kind == "mysql":
        tls = {name: os.environ[key] for name, key in MYSQL_SSL.items() if key in os.environ}
        options["connect_args"] = tls
    return sqlalchemy.create_engine(store.uri, **options)


def within(seconds: float, action: Callable[[], T]) -> T:
    """Run `action` in a thread, which goes on after a time-out.

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
