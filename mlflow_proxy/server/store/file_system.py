"""Probes whether a folder's file system can keep a SQLite database.

Without locks (NFS without its lock daemon, some CIFS mounts), MLflow would report after two minutes
that the disk is full, or nothing at all.
"""

import fcntl
import tempfile
from concurrent import futures
from pathlib import Path

from .database import within

TIMEOUT = 10.0  # seconds; a lock may wait for a server that does not answer
# The bytes that SQLite locks (https://sqlite.org/fileformat.html, 1.6).
LOCKED, LOCKED_SIZE = 0x40000000, 512
PAGES = bytes(1 << 16)


class NoLocksError(Exception):
    """The file system cannot lock; the message says how that showed."""


def probe(folder: Path) -> None:
    """Do in `folder`, in a file without a name, what SQLite does with a database.

    Raises:
        NoLocksError: a lock is refused or does not come within `TIMEOUT` seconds.
        OSError: a file cannot be written.
    """
    try:
        within(TIMEOUT, lambda: _probe(folder))
    except futures.TimeoutError:
        raise NoLocksError(f"no answer within {TIMEOUT:g} s") from None


def _probe(folder: Path) -> None:
    """Lock, then write; SQLite's own error would be that of a busy database or a bad disk."""
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCKED_SIZE, LOCKED)
        except OSError as error:
            raise NoLocksError(error.strerror) from None
        file.write(PAGES)
