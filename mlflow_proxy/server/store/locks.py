"""Advisory locks that all processes on one store respect: the Labs of a team, or of one user.

A database server keeps them for a connection, SQLite's are ranges of a file beside the database.
Both end with the process, however it ends.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow_proxy.stores import Database, SQLite, Store

from .settings import engine_of

CREATION = "creation"
"""The key of the lock of the program that creates or upgrades the database."""
# Statements on the lock `:key`. PostgreSQL's locks belong to a database, MySQL's to the whole
# server, with names of 64 characters at most.
_POSTGRESQL = "hashtextextended(coalesce(current_schema(), '') || :key, 0)"
_MYSQL = "sha2(concat(database(), :key), 256)"
ACQUIRE = {
    "postgresql": f"SELECT pg_try_advisory_lock({_POSTGRESQL})",
    "mysql": f"SELECT get_lock({_MYSQL}, 0)",
}
RELEASE = {
    "postgresql": f"SELECT pg_advisory_unlock({_POSTGRESQL})",
    "mysql": f"SELECT release_lock({_MYSQL})",
}
INTERVAL = 0.5  # seconds between attempts to acquire the creation lock

_logger = logging.getLogger(__name__)


@contextmanager
def alone(stores: Sequence[Database]) -> Iterator[None]:
    """Hold the creation lock of the first of `stores`, which waits for the program that has it.

    MLflow takes a lock for that only on one machine, and not for every kind of store: of ten
    programs that open an empty database at the same moment, most fail. One lock is enough for
    programs with the same stores, and cannot wait for another of this one.
    """
    locks = Locks.of(stores[0] if stores else None)
    while not locks.acquire(CREATION):
        time.sleep(INTERVAL)
    try:
        yield
    finally:
        locks.release_all()


def is_being_created(store: Database) -> bool:
    """Whether a program has the creation lock of `store`: its tables may be locked, too."""
    locks = Locks.of(store)
    try:
        return not locks.acquire(CREATION)
    finally:
        locks.release_all()


class Locks:
    """The keys that this process holds; no other process on the store has them.

    Where they fail, e.g. while the database is away, this process goes on as if it were alone. So
    it does on a store that has none. Those that a database server loses are not acquired again.
    """

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._lock = threading.Lock()

    @staticmethod
    def of(store: Store | None) -> "Locks":
        match store:
            case SQLite():
                return _FileLocks(store.path)
            case Database(kind="postgresql" | "mysql"):
                return _ServerLocks(store)
        return Locks()

    def acquire(self, key: str) -> bool:
        """Acquire `key`; returns whether it was free. Non-blocking."""
        with self._lock:
            if key in self._held:
                return False
            try:
                is_free = self._acquire(key)
            except Exception as error:  # each driver has its own exceptions
                _logger.warning("Cannot lock the database: %s", error)
                self._close()
                is_free = True
            if is_free:
                self._held.add(key)
            elif not self._held:
                self._close()
            return is_free

    def holds(self, key: str) -> bool:
        return key in self._held

    def release(self, key: str) -> None:
        """Release `key`, if it is held."""
        with self._lock:
            if key not in self._held:
                return
            self._held.remove(key)
            with contextlib.suppress(Exception):  # a connection that is lost has no locks
                if self._held:
                    self._release(key)
                    return
            self._close()

    def release_all(self) -> None:
        with self._lock:
            self._held.clear()
            self._close()

    def _acquire(self, key: str) -> bool:
        return True

    def _release(self, key: str) -> None: ...

    def _close(self) -> None: ...


class _ServerLocks(Locks):
    """Locks of a database server, which end with the connection."""

    def __init__(self, store: Database) -> None:
        super().__init__()
        self._store = store
        self._connection: Any = None

    def _acquire(self, key: str) -> bool:
        if self._connection is None:
            self._connection = engine_of(self._store).connect()
        return bool(self._execute(ACQUIRE, key))

    def _release(self, key: str) -> None:
        self._execute(RELEASE, key)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):  # it may be lost
            if connection:  # without a rollback, after which PgBouncer would keep the locks
                connection.invalidate()

    def _execute(self, statements: dict[str, str], key: str) -> Any:
        import sqlalchemy

        # The transaction stays open: PgBouncer gives the connection to others after its end.
        statement = sqlalchemy.text(statements[self._store.kind])
        return self._connection.scalar(statement, {"key": key})


class _FileLocks(Locks):
    """Locks of a SQLite database: a byte each of an empty file beside it, which stays there.

    They hold on network file systems, too, and are no locks of SQLite's.
    """

    def __init__(self, database: Path) -> None:
        super().__init__()
        self._path = database.with_name(f".{database.name}-jobs")
        self._file: int | None = None

    def _acquire(self, key: str) -> bool:
        if self._file is None:
            self._file = self._open()
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(key))
        except (BlockingIOError, PermissionError):  # POSIX allows both
            return False
        return True

    def _open(self) -> int:
        """Open the file. What others have put in its place is refused."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(self._path, flags, 0o666)
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(file)
            raise OSError(f"{self._path} is not a file of its own")
        return file

    def _release(self, key: str) -> None:
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(key))

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _byte(key: str) -> int:
    """Where in the file the lock `key` is."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
