"""Probes whether a folder's file system can keep a SQLite database.

Without locks (NFS without its lock daemon, some CIFS mounts), MLflow would report after two minutes
that the disk is full, or nothing at all.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

TIMEOUT = 10.0  # seconds; a lock may wait for a server that does not answer
# Not the prefix of a folder in which a database is created: such a one may be worth keeping.
PREFIX = ".mlflow-proxy-probe-"
OLD = 60.0  # seconds after which a folder is of a probe that was killed
FIRST_BYTE = 0x40000000  # of those that SQLite locks (https://sqlite.org/fileformat.html, 1.6)


class NoLocksError(Exception):
    """The file system cannot lock; the message says how that showed."""


def probe(folder: Path) -> None:
    """Do in `folder`, in a file of its own, what SQLite does with a database; leaves no file.

    Raises:
        NoLocksError: a lock is refused or does not come within `TIMEOUT` seconds.
        OSError: a file cannot be written.
        sqlite3.Error: a database cannot be written.
    """
    try:
        _in_thread(lambda: _probe(folder))
    except futures.TimeoutError:
        raise NoLocksError(f"no answer within {TIMEOUT:g} s") from None


def _in_thread(action: Callable[[], None]) -> None:
    """Run `action`; wait at most `TIMEOUT` seconds, because no signal ends such a system call."""
    done: futures.Future[None] = futures.Future()

    def run() -> None:
        try:
            done.set_result(action())  # type: ignore[func-returns-value]
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    done.result(TIMEOUT)


def _probe(folder: Path) -> None:
    _lock_in(folder)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder) as aside:
        _remove_left_behind(folder, os.stat(aside).st_mtime)
        _write_database(Path(aside) / "database")


def _lock_in(folder: Path) -> None:
    """Lock a byte as SQLite does, whose own error would be that of a busy database or a bad disk.

    The file has no name, so that nothing is left if the lock hangs.

    Raises:
        NoLocksError: it cannot be locked.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, FIRST_BYTE)
        except OSError as error:
            raise NoLocksError(error.strerror) from None


def _write_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=0)) as database:
        database.execute("PRAGMA synchronous = OFF")  # what it costs is the disk's speed
        database.execute("CREATE TABLE probe (x)")
        database.execute("INSERT INTO probe VALUES (1)")
        database.commit()
        database.execute("SELECT x FROM probe").fetchall()


def _remove_left_behind(folder: Path, now: float) -> None:
    """Remove the folders of killed probes; `now` is the time by the file system's own clock."""
    for each in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another probe has just ended
            if now - each.stat().st_mtime > OLD:
                shutil.rmtree(each, ignore_errors=True)


def folder_of(database: Path) -> Path:
    """The folder in which SQLite writes `database` and its journal: links are followed."""
    return Path(os.path.realpath(database)).parent
