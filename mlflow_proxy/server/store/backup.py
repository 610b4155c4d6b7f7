"""Copies a SQLite database before it is changed."""

import contextlib
import itertools
import logging
import os
import shutil
import sqlite3
from pathlib import Path

from mlflow_proxy import sqlite_files
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import StartError

COPY_TIMEOUT = 60.0  # seconds to wait for a writer

_logger = logging.getLogger(__name__)


def copy_aside(path: Path, label: str) -> Path:
    """Copy the database at `path`, consistent while others write; returns the path of the copy.

    Raises:
        StartError: it could not be copied, e.g. for lack of space; nothing was changed.
    """
    try:
        with sqlite_files.made_aside(path) as (part, link):
            _backup(path, part)
            while True:
                copy = free_copy_path(path, label)
                try:
                    link(copy)
                except FileExistsError:  # made under that name meanwhile
                    continue
                except OSError:  # a file system without hard links
                    part.rename(copy)
                break
    except (OSError, sqlite3.Error) as error:
        why = failures.explain(error, str(path)).failure
        raise StartError(
            f"The database could not be copied, and was not changed. {why.reason}", why.remedy
        ) from error
    _logger.info("The database as it was is kept at %s", copy)
    return copy


def _backup(path: Path, copy: Path) -> None:
    with (
        contextlib.closing(sqlite_files.connect(path, "rw", COPY_TIMEOUT)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        target.execute("PRAGMA journal_mode = OFF")  # an incomplete copy is removed
        # Without a transaction, SQLite would wait for a lock without limit and start again after
        # each change. A transaction waits up to the time-out and then keeps changes out.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(target)
    shutil.copymode(path, copy)


def free_copy_path(path: Path, label: str) -> Path:
    """A path for a copy of the database at `path` that does not exist yet, not even as a link."""
    suffixes = (f"-{number}" for number in itertools.count(2))
    names = (f"{path.name}.{label}{suffix}.bak" for suffix in itertools.chain([""], suffixes))
    return next(copy for copy in map(path.with_name, names) if not os.path.lexists(copy))
