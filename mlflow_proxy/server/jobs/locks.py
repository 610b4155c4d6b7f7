"""Locks of jobs: each runs once, and an exclusive one while no other with the same key does."""

import logging
import threading

from .store_locks import StoreLocks

_logger = logging.getLogger(__name__)


class Locks:
    """The keys that this process holds; with `store_locks`, no other process on the store has them.

    Where these fail, e.g. while the database is away, this process goes on as if it were alone.
    """

    def __init__(self, store_locks: StoreLocks | None = None) -> None:
        self._store_locks = store_locks
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def acquire(self, key: str) -> bool:
        """Acquire `key`; returns whether it was free. Waits for no one."""
        with self._lock:
            if key in self._held or not self._is_free_elsewhere(key):
                return False
            self._held.add(key)
            return True

    def holds(self, key: str) -> bool:
        """Whether `key` is held here, and the connection that keeps it has not been lost."""
        with self._lock:
            if key in self._held and self._store_locks:
                try:
                    self._store_locks.check()
                except Exception:
                    _logger.warning("The locks of jobs in the store were lost", exc_info=True)
                    self._close()
                    self._held.discard(key)
            return key in self._held

    def release(self, key: str) -> None:
        """Release `key`, if it is held."""
        with self._lock:
            if key in self._held:
                self._held.remove(key)
                self._release_elsewhere(key)

    def release_all(self) -> None:
        """Release all keys: this process is about to end."""
        with self._lock:
            self._held.clear()
            self._close()

    def _is_free_elsewhere(self, key: str) -> bool:
        if not self._store_locks:
            return True
        try:
            is_free = self._store_locks.acquire(key)
        except Exception:
            _logger.warning("Whether another process runs a job is not known", exc_info=True)
            self._close()
            return True
        if not self._held and not is_free:
            self._close()
        return is_free

    def _release_elsewhere(self, key: str) -> None:
        try:
            if self._store_locks and self._held:
                self._store_locks.release(key)
                return
        except Exception:
            _logger.warning("A lock in the store could not be released", exc_info=True)
        self._close()

    def _close(self) -> None:
        if self._store_locks:
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
