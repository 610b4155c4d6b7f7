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
    locks = Locks(stores[0] if stores else None)
    while not locks.acquire(CREATION):
        time.sleep(INTERVAL)
    try:
        yield
    finally:
        locks.release_all()


def is_being_created(store: Database) -> bool:
    """Whether a program has the creation lock of `store`: its tables may be locked, too."""
    locks = Locks(store)
    is_free = locks.acquire(CREATION)
    locks.release_all()
    return not is_free


class Locks:
    """The keys that this process holds; no other process on the store has them.

    Where they fail, e.g. while the database is away, this process goes on as if it were alone. So
    it does on a store that has none. Those that a database server loses are not acquired again.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.held: set[str] = set()
        self._store = store
        self._opened: _File | _Connection | None = None
        """What keeps the locks; open while any is held."""
        self._lock = threading.Lock()

    def acquire(self, key: str) -> bool:
        """Acquire `key`; returns whether it was free. Non-blocking."""
        with self._lock:
            if key in self.held:
                return False
            try:
                self._opened = self._opened or self._open()
                is_free = not self._opened or self._opened.acquire(key)
            except Exception as error:  # each driver has its own exceptions
                _logger.warning("Cannot lock the database: %s", error)
                self._close()
                is_free = True
            if is_free:
                self.held.add(key)
            elif not self.held:
                self._close()
            return is_free

    def release(self, key: str) -> None:
        with self._lock:
            if key not in self.held:
                return
            self.held.remove(key)
            with contextlib.suppress(Exception):  # a connection that is lost has no locks
                if self.held:
                    if self._opened:
                        self._opened.release(key)
                    return
            self._close()

    def release_all(self) -> None:
        with self._lock:
            self.held.clear()
            self._close()

    def _open(self) -> "_File | _Connection | None":
        match self._store:
            case SQLite():
                return _File(self._store.path)
            case Database(kind="postgresql" | "mysql"):
                return _Connection(self._store)
        return None

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        with contextlib.suppress(Exception):  # a connection may be lost
            if opened:
                opened.close()


class _Connection:
    """Locks of a database server, which end with the connection."""

    def __init__(self, store: Database) -> None:
        self._kind = store.kind
        self._connection = engine_of(store).connect()

    def acquire(self, key: str) -> bool:
        return bool(self._execute(ACQUIRE, key))

    def release(self, key: str) -> None:
        self._execute(RELEASE, key)

    def close(self) -> None:
        self._connection.invalidate()  # without a rollback, after which PgBouncer would keep them

    def _execute(self, statements: dict[str, str], key: str) -> Any:
        import sqlalchemy

        # The transaction stays open: PgBouncer gives the connection to others after its end.
        return self._connection.scalar(sqlalchemy.text(statements[self._kind]), {"key": key})


class _File:
    """Locks of a SQLite database: a byte each of an empty file beside it, which stays there.

    They hold on network file systems, too, and are no locks of SQLite's.
    """

    def __init__(self, database: Path) -> None:
        """Open the file. What others have put in its place is refused."""
        path = database.with_name(f".{database.name}-jobs")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        self._file = os.open(path, flags, 0o666)
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            self.close()
            raise OSError(f"{path} is not a file of its own")

    def acquire(self, key: str) -> bool:
        with contextlib.suppress(BlockingIOError, PermissionError):  # POSIX allows both
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(key))
            return True
        return False

    def release(self, key: str) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(key))

    def close(self) -> None:
        os.close(self._file)


def _byte(key: str) -> int:
    """Where in the file the lock `key` is."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
