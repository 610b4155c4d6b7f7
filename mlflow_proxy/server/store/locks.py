"""Advisory locks that all processes on one store respect: the Labs of a team, or of one user.

A database server keeps them for a connection, SQLite's are ranges of a file beside the database.
Both end with the process, however it ends.
"""

import contextlib
import fcntl
import hashlib
import io
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_proxy.stores import Database, names_file

from .database import engine_of

if TYPE_CHECKING:
    import sqlalchemy

CREATION = "creation"
"""The key of the lock of the program that creates or upgrades the database."""
# Statements on the lock `:key`, and one that releases all. PostgreSQL's locks belong to a database;
# MySQL's to the whole server, with names of 64 characters at most.
_POSTGRESQL = "hashtextextended(coalesce(current_schema(), '') || :key, 0)"
_MYSQL = "sha2(concat(database(), :key), 256)"
STATEMENTS = {
    "postgresql": {
        "try": f"SELECT pg_try_advisory_lock({_POSTGRESQL})",
        "wait": f"SELECT pg_advisory_lock({_POSTGRESQL})",
        "is free": f"SELECT pg_try_advisory_xact_lock_shared({_POSTGRESQL})",
        "release": f"SELECT pg_advisory_unlock({_POSTGRESQL})",
        "release all": "SELECT pg_advisory_unlock_all()",
    },
    "mysql": {
        "try": f"SELECT get_lock({_MYSQL}, 0)",
        "wait": f"SELECT get_lock({_MYSQL}, 3600)",
        "is free": f"SELECT is_free_lock({_MYSQL})",
        "release": f"SELECT release_lock({_MYSQL})",
        "release all": "SELECT 1",  # they end with the connection
    },
}

_logger = logging.getLogger(__name__)


@contextmanager
def alone(stores: Sequence[Database]) -> Iterator[None]:
    """Hold the creation lock of the first of `stores`, which waits for the program that has it.

    MLflow takes a lock for that only on one machine, and not for every kind of store: of ten
    programs that open an empty database at the same moment, most fail. One lock is enough for
    programs with the same stores, and cannot wait for another of this one.
    """
    locks = Locks(engine_of(stores[0])) if stores else Locks()
    locks.acquire(CREATION, wait=True)
    try:
        yield
    finally:
        locks.release_all()


def is_being_created(connection: "sqlalchemy.Connection") -> bool:
    """Whether another program has the creation lock of the database of `connection`."""
    import sqlalchemy

    statements = STATEMENTS.get(connection.dialect.name)
    if not statements:
        return False
    try:
        with connection.begin_nested():
            is_free = connection.scalar(sqlalchemy.text(statements["is free"]), {"key": CREATION})
    except sqlalchemy.exc.DBAPIError as error:  # it only speaks as that kind of server
        _logger.warning("Cannot tell whether the database is locked: %s", error)
        return False
    return not is_free


class Locks:
    """The keys that this process holds; no other process on the store of `engine` has them.

    Where the store has no locks or they fail, e.g. while the database is away, this process goes on
    as if it were alone.
    """

    def __init__(self, engine: "sqlalchemy.Engine | None" = None) -> None:
        self._store = _locks_of(engine)
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def acquire(self, key: str, wait: bool = False) -> bool:
        """Acquire `key`; returns whether it was free. Non-blocking, unless `wait`."""
        with self._lock:
            if key in self._held:
                return False
            try:
                is_free = self._store.acquire(key, wait)
            except Exception:  # each driver has its own exceptions
                _logger.warning("A lock in the store could not be acquired", exc_info=True)
                self._store.close()
                is_free = True
            if is_free:
                self._held.add(key)
            elif not self._held:
                self._store.close()
            return is_free

    def holds(self, key: str) -> bool:
        """Whether `key` is held here, and the connection that keeps it has not been lost."""
        with self._lock:
            if key in self._held:
                try:
                    self._store.check()
                except Exception:
                    _logger.warning("The locks in the store were lost", exc_info=True)
                    self._store.close()
                    self._held.discard(key)
            return key in self._held

    def release(self, key: str) -> None:
        """Release `key`, if it is held."""
        with self._lock:
            if key not in self._held:
                return
            self._held.remove(key)
            try:
                if self._held:
                    self._store.release(key)
                    return
            except Exception:
                _logger.warning("A lock in the store could not be released", exc_info=True)
            self._store.close()

    def release_all(self) -> None:
        """Release all keys."""
        with self._lock:
            self._held.clear()
            self._store.close()


def _locks_of(engine: "sqlalchemy.Engine | None") -> "StoreLocks":
    if engine is None:
        return StoreLocks()
    name, database = engine.dialect.name, engine.url.database
    if name == "sqlite" and database and names_file(database):
        return FileLocks(Path(database))
    return ServerLocks(engine) if name in STATEMENTS else StoreLocks()


class StoreLocks:
    """The locks of one store; these are of one that has none.

    Each method but `close` raises what the database or the file system does.
    """

    def acquire(self, key: str, wait: bool) -> bool:
        """Acquire `key`, which this process does not hold; returns whether it was free."""
        return True

    def check(self) -> None:
        """Raise if the locks may have been lost."""

    def release(self, key: str) -> None:
        """Release `key`."""

    def close(self) -> None:
        """Release all."""


class ServerLocks(StoreLocks):
    """Locks of a database server."""

    def __init__(self, engine: "sqlalchemy.Engine") -> None:
        self._engine = engine
        self._statements = STATEMENTS[engine.dialect.name]
        self._connection: Any = None

    def acquire(self, key: str, wait: bool) -> bool:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.detach()  # MLflow's pool has few
        return bool(self._execute("wait" if wait else "try", key))

    def check(self) -> None:
        self._connection.exec_driver_sql("SELECT 1")

    def release(self, key: str) -> None:
        self._execute("release", key)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            with contextlib.suppress(Exception):  # it may be lost
                connection.exec_driver_sql(self._statements["release all"])
            with contextlib.suppress(Exception):
                connection.close()

    def _execute(self, name: str, key: str) -> Any:
        import sqlalchemy

        # The transaction stays open: PgBouncer gives the connection to others after its end.
        return self._connection.scalar(sqlalchemy.text(self._statements[name]), {"key": key})


class FileLocks(StoreLocks):
    """Locks of a SQLite database: a byte each of an empty file, which the last one removes.

    They hold on network file systems, too, and are no locks of SQLite's.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f".{database.name}-jobs")
        self._file: io.FileIO | None = None

    def acquire(self, key: str, wait: bool) -> bool:
        how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        while True:
            if self._file is None:
                self._file = io.FileIO(self._path, "a")
            try:
                fcntl.lockf(self._file, how, 1, _byte(key))
            except (BlockingIOError, PermissionError):  # POSIX allows both
                return False
            if self._is_in_place(self._file):
                return True
            self._file.close()  # another process has removed it meanwhile
            self._file = None

    def release(self, key: str) -> None:
        if self._file:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(key))

    def close(self) -> None:
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
