"""Runs jobs in threads of this process, as many of each kind at once as it allows."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

_logger = logging.getLogger(__name__)

Run = Callable[[], float | None]
"""Runs a job to its end; returns the seconds after which to run it again, or None."""


class JobRunner:
    """Runs what is submitted; `report_busy` is told when the first job begins and the last ends."""

    def __init__(self, report_busy: Callable[[bool], None]) -> None:
        self._report_busy = report_busy
        self._lock = threading.Lock()
        self._free: dict[str, threading.Semaphore] = {}
        self._unfinished = 0
        self.is_closed = False
        """Whether no job begins or ends any more."""

    @property
    def is_busy(self) -> bool:
        """Whether a job runs, waits for others of its kind, or waits to run again."""
        return self._unfinished > 0 and not self.is_closed

    def end(self) -> None:
        """End jobs at once and without a result, so that MLflow resumes them when it starts.

        Their processes are of this one's group.
        """
        was_busy, self.is_closed = self.is_busy, True
        if was_busy and os.getpgrp() == os.getpid():
            handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
            signal.signal(signal.SIGTERM, handler)

    def wait_if_closed(self) -> None:
        """Block for ever in a closed runner, so that a job has no result."""
        if self.is_closed:
            threading.Event().wait()

    def submit(self, kind: str, limit: int, run: Run) -> None:
        """Have `run` called once fewer than `limit` jobs of this kind run; returns at once."""
        with self._lock:
            free = self._free.setdefault(kind, threading.Semaphore(limit))
            self._unfinished += 1
            if self._unfinished == 1:
                self._report_busy(True)
        # A daemon: this process does not wait for jobs when it ends.
        threading.Thread(target=self._run, args=(free, run), name=kind, daemon=True).start()

    def _run(self, free: threading.Semaphore, run: Run) -> None:
        delay: float | None = 0.0
        try:
            while delay is not None:
                time.sleep(delay)
                with free:
                    self.wait_if_closed()
                    delay = run()
        except Exception:
            _logger.exception("A job could not be run")
        with self._lock:
            self._unfinished -= 1
            if not self._unfinished:
                self._report_busy(False)
