"""Runs jobs in threads of this process, as many of each kind at once as it allows."""

import logging
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable

_logger = logging.getLogger(__name__)

Run = Callable[[], float | None]
"""Runs a job to its end; returns the seconds after which to run it again, or None."""


class JobRunner:
    """Runs what is submitted; `report_busy` is told when the first job begins and the last ends."""

    def __init__(self, report_busy: Callable[[bool], None]) -> None:
        self._report_busy = report_busy
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, deque[Run]] = defaultdict(deque)
        self._threads: Counter[str] = Counter()
        self._unfinished = 0
        self.is_closed = False
        """Whether no job begins or ends any more."""

    @property
    def is_busy(self) -> bool:
        """Whether a job runs, waits for others of its kind, or waits to run again."""
        return self._unfinished > 0 and not self.is_closed

    def close(self) -> None:
        """Begin no further job, and let no job that runs end; this process is about to end."""
        self.is_closed = True

    def wait_if_closed(self) -> None:
        """Block for ever in a closed runner, so that a job has no result."""
        if self.is_closed:
            threading.Event().wait()

    def submit(self, kind: str, limit: int, run: Run) -> None:
        """Have `run` called once fewer than `limit` jobs of this kind run; returns at once."""
        with self._lock:
            self._unfinished += 1
            if self._unfinished == 1:
                self._report_busy(True)
        self._enqueue(kind, limit, run)

    def _enqueue(self, kind: str, limit: int, run: Run) -> None:
        with self._lock:
            self._waiting[kind].append(run)
            if self._threads[kind] >= limit:
                return
            self._threads[kind] += 1
        # Daemons: this process does not wait for jobs when it ends.
        threading.Thread(target=self._work, args=(kind, limit), name=kind, daemon=True).start()

    def _work(self, kind: str, limit: int) -> None:
        while run := self._next(kind):
            try:
                delay = run()
            except Exception:
                _logger.exception("A job could not be run")
                delay = None
            if delay is None:
                self._finish()
            else:
                again = threading.Timer(delay, self._enqueue, (kind, limit, run))
                again.daemon = True
                again.start()

    def _finish(self) -> None:
        with self._lock:
            self._unfinished -= 1
            if not self._unfinished:
                self._report_busy(False)

    def _next(self, kind: str) -> Run | None:
        self.wait_if_closed()
        with self._lock:
            if self._waiting[kind]:
                return self._waiting[kind].popleft()
            self._threads[kind] -= 1
            return None
