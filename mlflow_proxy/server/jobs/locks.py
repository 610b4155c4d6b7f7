"""Locks of jobs: each runs once, and an exclusive one while no other with the same key does."""

import logging
import threading

from mlflow_proxy.server.store.locks import StoreLocks

_logger = logging.getLogger(__name__)


class Locks:
    """The keys that this process holds; no other process on the store has them.

    Where the locks of the store fail, e.g. while the database is away, this process goes on as if
    it were alone.
    """

    def __init__(self, store_locks: StoreLocks | None = None) -> None:
        self._store_locks = store_locks or StoreLocks()
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def acquire(self, key: str) -> bool:
        """Acquire `key`; returns whether it was free. Non-blocking."""
        with self._lock:
            if key in self._held:
                return False
            try:
                is_free = self._store_locks.acquire(key)
            except Exception:
                _logger.warning("Whether another process runs a job is not known", exc_info=True)
                self._store_locks.close()
                is_free = True
            if is_free:
                self._held.add(key)
            elif not self._held:
                self._store_locks.close()
            return is_free

    def holds(self, key: str) -> bool:
        """Whether `key` is held here, and the connection that keeps it has not been lost."""
        with self._lock:
            if key in self._held:
                try:
                    self._store_locks.check()
                except Exception:
                    _logger.warning("The locks of jobs in the store were lost", exc_info=True)
                    self._store_locks.close()
                    self._held.discard(key)
            return key in self._held

    def release(self, key: str) -> None:
        """Release `key`, if it is held."""
        with self._lock:
            if key not in self._held:
                return
            self._held.remove(key)
            if not self._held:
                self._store_locks.close()
                return
            try:
                self._store_locks.release(key)
            except Exception:
                _logger.warning("A lock in the store could not be released", exc_info=True)
                self._store_locks.close()

    def release_all(self) -> None:
        """Release all keys: this process is about to end."""
        with self._lock:
            self._held.clear()
            self._store_locks.close()


class Lock:
    """Stands in for huey's `TaskLock`."""

    def __init__(self, key: str, locks: Locks) -> None:
        self._key = key
        self._locks = locks

    def acquire(self) -> None:
        """Acquire the lock.

        Raises:
            huey.exceptions.TaskLockedException: another job has it.
        """
        if not self._locks.acquire(self._key):
            from huey.exceptions import TaskLockedException

            raise TaskLockedException(self._key)

    def release(self) -> None:
        """Release the lock."""
        self._locks.release(self._key)
