"""Locks that all processes on one store respect: the Labs of a team, or two Labs of one user.

A database server keeps them for a connection, SQLite's are ranges of a file beside the database.
Both end with the process, however it ends.
"""

import contextlib
import fcntl
import hashlib
import io
import os
from pathlib import Path
from typing import Any, Protocol

# Statements that acquire and release `:key`, and release all. The names of MySQL's locks belong to
# all databases of a server, and have 64 characters at most.
_POSTGRESQL_KEY = "hashtextextended(coalesce(current_schema(), '') || :key, 0)"
_MYSQL_KEY = "sha2(concat(database(), :key), 256)"
_STATEMENTS = {
    "postgresql": (
        f"SELECT pg_try_advisory_lock({_POSTGRESQL_KEY})",
        f"SELECT pg_advisory_unlock({_POSTGRESQL_KEY})",
        "SELECT pg_advisory_unlock_all()",
    ),
    "mysql": (
        f"SELECT get_lock({_MYSQL_KEY}, 0)",
        f"SELECT release_lock({_MYSQL_KEY})",
        "SELECT 1",  # they end with the connection
    ),
}


class StoreLocks(Protocol):
    """Locks of one store; each method raises what the database or the file system does."""

    def acquire(self, key: str) -> bool:
        """Acquire `key`, which this process does not hold; returns whether it was free."""

    def check(self) -> None:
        """Raise if the locks may have been lost."""

    def release(self, key: str) -> None:
        """Release `key`."""

    def close(self) -> None:
        """Release all; raises nothing."""


def of_store(engine: Any) -> StoreLocks | None:
    """The locks of the store with SQLAlchemy's `engine`; None where this package has none."""
    name, database = engine.dialect.name, engine.url.database
    if name == "sqlite" and database and not database.startswith((":memory:", "file:")):
        return FileLocks(Path(database))
    if name in _STATEMENTS:
        return ServerLocks(engine, *_STATEMENTS[name])
    return None


class ServerLocks:
    """Locks of a database server."""

    def __init__(self, engine: Any, acquire: str, release: str, release_all: str) -> None:
        self._engine = engine
        self._acquire = acquire
        self._release = release
        self._release_all = release_all
        self._connection: Any = None

    def acquire(self, key: str) -> bool:
        """See `StoreLocks`."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.detach()  # MLflow's pool has few
        return bool(self._execute(self._acquire, key=key))

    def check(self) -> None:
        """See `StoreLocks`."""
        self._execute("SELECT 1")

    def release(self, key: str) -> None:
        """See `StoreLocks`."""
        self._execute(self._release, key=key)

    def close(self) -> None:
        """See `StoreLocks`."""
        connection, self._connection = self._connection, None
        if connection:
            with contextlib.suppress(Exception):  # it may be lost
                connection.exec_driver_sql(self._release_all)
            with contextlib.suppress(Exception):
                connection.close()

    def _execute(self, statement: str, **parameters: str) -> Any:
        import sqlalchemy

        # The transaction stays open: PgBouncer gives the connection to others after its end.
        return self._connection.execute(sqlalchemy.text(statement), parameters).scalar()


class FileLocks:
    """Locks of a SQLite database: a byte each of an empty file, which the last one removes.

    They hold on network file systems, too, and are no locks of SQLite's.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f".{database.name}-jobs")
        self._file: io.FileIO | None = None

    def acquire(self, key: str) -> bool:
        """See `StoreLocks`."""
        while True:
            if self._file is None:
                self._file = io.FileIO(self._path, "a")
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(key))
            except (BlockingIOError, PermissionError):  # POSIX allows both
                return False
            if self._is_in_place(self._file):
                return True
            self._file.close()  # another process has removed it meanwhile
            self._file = None

    def check(self) -> None:
        """See `StoreLocks`."""

    def release(self, key: str) -> None:
        """See `StoreLocks`."""
        if self._file:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(key))

    def close(self) -> None:
        """See `StoreLocks`."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError):
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # all of it: no other process has one
            if self._is_in_place(file):
                self._path.unlink()
        file.close()

    def _is_in_place(self, file: io.FileIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False


def _byte(key: str) -> int:
    """Where in the file the lock `key` is."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
