"""Copies a SQLite database before it is changed."""

import contextlib
import itertools
import logging
import os
import shutil
import sqlite3
from pathlib import Path

from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import StartError

COPY_TIMEOUT = 60.0  # seconds to wait for a writer

_logger = logging.getLogger(__name__)


def copy_aside(path: Path, label: str) -> Path:
    """Copy the database at `path`, consistent while others write; returns the path of the copy.

    Raises:
        StartError: it could not be copied, e.g. for lack of space; nothing was changed.
    """
    copy = free_copy_path(path, label)
    part = copy.with_name(f"{copy.name}.part")
    try:
        _backup(path, part)
        part.rename(copy)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        why = failures.explain(error, str(path)).failure
        raise StartError(
            f"The database could not be copied, and was not changed. {why.reason}", why.remedy
        ) from error
    _logger.info("The database as it was is kept at %s", copy)
    return copy


def _backup(path: Path, copy: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(path, timeout=COPY_TIMEOUT)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        # Without a transaction, SQLite would wait for a lock without limit and start again after
        # each change. A transaction waits up to the time-out and then keeps changes out.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(target)
    shutil.copymode(path, copy)
    with copy.open("rb") as file:
        os.fsync(file.fileno())


def free_copy_path(path: Path, label: str) -> Path:
    """A path for a copy of the database at `path` that does not exist yet."""
    suffixes = (f"-{number}" for number in itertools.count(2))
    names = (f"{path.name}.{label}{suffix}.bak" for suffix in itertools.chain([""], suffixes))
    return next(copy for copy in map(path.with_name, names) if not copy.exists())
