"""The files of the SQLite stores as they were opened, to notice that one was replaced.

A program that has opened a file keeps it, also when its path names another: MLflow would go on
showing the runs of a deleted database. The files are never opened here, because closing a
descriptor of a SQLite database drops all locks that this process has on it
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

GRACE = 1.0  # seconds that a file may be missing: some programs delete it and write it anew
INTERVAL = 0.05  # seconds between checks of a missing file

Identity = list[int]  # device and inode
UNKNOWN: Identity = [0, 0]


class OpenedFiles:
    """The files that MLflow has opened: their paths and `identities`."""

    def __init__(self, opened: Mapping[str, Identity]) -> None:
        self._opened = opened
        self._missing_since: dict[Path, float] = {}

    async def replaced(self) -> Path | None:
        """The first path that no longer names the file that was opened; None if all do.

        Waits up to `GRACE` seconds for a missing file.
        """
        for name, opened in self._opened.items():
            # In a thread, because the server of a network file system may not answer.
            if await asyncio.to_thread(self._is_replaced, Path(name), opened):
                return Path(name)
        return None

    def _is_replaced(self, path: Path, opened: Identity) -> bool:
        while (now := identity(path)) is None:
            since = self._missing_since.setdefault(path, time.monotonic())
            if time.monotonic() - since > GRACE:
                # A folder that was moved away may come back: a new one would be in its way.
                return os.path.exists(os.path.dirname(os.path.realpath(path)))
            time.sleep(INTERVAL)
        self._missing_since.pop(path, None)
        return now != opened and UNKNOWN not in (now, opened)


def identities(paths: Iterable[Path]) -> dict[str, Identity]:
    """The `identity` of each file that exists, by its path."""
    return {str(path): found for path in paths if (found := identity(path))}


def identity(path: Path) -> Identity | None:
    """The file at `path`, links followed; None if there is none, `UNKNOWN` if that is not known."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # e.g. no permission
        return UNKNOWN
    return [status.st_dev, status.st_ino]
