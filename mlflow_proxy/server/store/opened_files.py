"""The files of the SQLite stores as they were opened, to notice that one was replaced.

A program that has opened a file keeps it, also when its path names another: MLflow would go on
showing the runs of a deleted database. The files are never opened here, because closing a
descriptor of a SQLite database drops all locks that this process has on it
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GRACE = 1.0  # seconds that a file may be missing: some programs delete it and write it anew
INTERVAL = 0.05  # seconds between checks of a missing file


class OpenedFiles:
    """The files at `paths`, which have just been opened."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._opened: dict[Path, os.stat_result] = {}
        for path in paths:
            with suppress(OSError):
                self._opened[path] = path.stat()

    async def replaced(self) -> Path | None:
        """The first path that no longer names the file that was opened; None if all do.

        Waits up to `GRACE` seconds for a missing file.
        """
        for path, opened in self._opened.items():
            # In a thread, because the server of a network file system may not answer.
            if await asyncio.to_thread(_is_replaced, path, opened):
                return path
        return None


def _is_replaced(path: Path, opened: os.stat_result) -> bool:
    end = time.monotonic() + GRACE
    while True:
        try:
            return not os.path.samestat(path.stat(), opened)
        except (FileNotFoundError, NotADirectoryError):
            # A folder that was moved away may come back: a new one would be in its way.
            if not os.path.exists(os.path.dirname(os.path.realpath(path))):
                return False
            if time.monotonic() > end:
                return True
        except OSError:  # not known, e.g. without permission
            return False
        time.sleep(INTERVAL)
