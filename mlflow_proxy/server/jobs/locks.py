"""Locks of exclusive jobs: MLflow cancels a job when another with the same key runs."""

import threading


class Locks:
    """The keys of the exclusive jobs that run."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def acquire(self, key: str) -> bool:
        """Acquire `key`; returns whether it was free."""
        with self._lock:
            if key in self._held:
                return False
            self._held.add(key)
            return True

    def release(self, key: str) -> None:
        """Release `key`."""
        with self._lock:
            self._held.discard(key)


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
