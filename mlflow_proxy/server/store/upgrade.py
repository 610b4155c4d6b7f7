"""Upgrades older databases: only with consent, SQLite only after a copy."""

import contextlib
import logging
import os
import shlex
import shutil
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from mlflow_proxy.server import failures
from mlflow_proxy.server.errors import StartError
from mlflow_proxy.shared.passwords import mask_uri
from mlflow_proxy.shared.reports import Upgrade
from mlflow_proxy.shared.revisions import Revisions
from mlflow_proxy.shared.stores import sqlite_path

from . import database
from .settings import StoreSettings

SPARE = 16 << 20  # bytes that must remain free beside the copy and the growing database
COPY_TIMEOUT = 60.0  # seconds to wait for a writer

_logger = logging.getLogger(__name__)


def check(settings: StoreSettings, revisions: Revisions) -> None:
    """Check that every database has this MLflow's revision, or is new.

    Raises:
        StartError: a database is older or newer, or cannot be read.
    """
    for uri, revision in older(settings, revisions):
        raise outdated(uri, revision, revisions)


def older(settings: StoreSettings, revisions: Revisions) -> Iterator[tuple[str, str]]:
    """URI and revision of each database that is older than this MLflow.

    Raises:
        StartError: a database cannot be read, or is newer.
    """
    for name, uri in settings.stores():
        revision = revision_of(name, uri, revisions)
        if revision and revision != revisions.latest:
            yield uri, revision


def revision_of(name: str, uri: str, revisions: Revisions) -> str | None:
    """The revision of the store `uri` of setting `name`; None if it is new, or no database.

    Raises:
        StartError: the database cannot be read, or is newer than this MLflow.
    """
    store = shown(uri)
    try:
        revision = database.revision_of(uri, revisions.latest)
    except Exception as error:  # each driver has its own exceptions
        _logger.warning("%s: %s", type(error).__name__, error)
        raise failures.explain(error, store, name) from error
    if revision and revision not in revisions.known | {database.NO_REVISION}:
        # alembic's message, seconds earlier.
        newer = LookupError(f"Can't locate revision identified by '{revision}'")
        raise failures.explain(newer, store, name)
    return revision


def outdated(uri: str, revision: str, revisions: Revisions) -> StartError:
    """The failure that offers the upgrade of the store `uri`."""
    path = sqlite_path(uri)
    return StartError(
        f"The database {shown(uri)} was made by an older MLflow "
        f"(its revision is {revision}, this MLflow needs {revisions.latest}).",
        "Upgrade it, after which older releases of MLflow cannot open it any more; "
        "or install the release that made it.",
        Upgrade(shown(uri), str(free_copy_path(path, revision)) if path else ""),
    )


def run(
    settings: StoreSettings, revisions: Revisions, upgrade_database: Callable[[str], None]
) -> None:
    """Upgrade the first older database, which is the one that `check` reported.

    Raises:
        StartError: it could not be upgraded.
    """
    for uri, revision in older(settings, revisions):
        path = sqlite_path(uri)
        copy = copy_aside(path, revision) if path else None
        _upgrade(uri, copy, upgrade_database)
        return


def _upgrade(uri: str, copy: Path | None, upgrade_database: Callable[[str], None]) -> None:
    try:
        upgrade_database(uri)
    except Exception as error:  # a migration can fail in any way
        traceback.print_exc()
        remedy = "The last lines of the log, below, say more."
        if copy:
            path = sqlite_path(uri)
            command = shlex.join(["cp", str(copy), str(path)])
            remedy = (
                f"The database as it was is kept at {copy}. To go back to it, "
                f"end what uses the database and run: {command}"
            )
        why = failures.explain(error, shown(uri)).failure.reason
        raise StartError(f"The upgrade of {shown(uri)} has failed: {why}", remedy) from error
    _logger.info("%s is upgraded", shown(uri))


def copy_aside(path: Path, revision: str) -> Path:
    """Copy the database at `path`, consistent while others write; returns the path of the copy.

    Raises:
        StartError: it could not be copied, e.g. for lack of space; nothing was changed.
    """
    copy = free_copy_path(path, revision)
    size = path.stat().st_size
    free = shutil.disk_usage(path.parent).free
    # MLflow's migrations copy whole tables within the database.
    if free < (needed := 2 * size + SPARE):
        raise StartError(
            f"The upgrade needs {needed >> 20} MB in {path.parent}, for a copy of the database "
            f"first of all, and {free >> 20} MB are free. Nothing was changed.",
            failures.FREE,
        )
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


def free_copy_path(path: Path, revision: str) -> Path:
    """A path for a copy of the database at `path` that does not exist yet."""
    number = 1
    while True:
        suffix = f".{revision}.bak" if number == 1 else f".{revision}-{number}.bak"
        if not (copy := path.with_name(path.name + suffix)).exists():
            return copy
        number += 1


def shown(uri: str) -> str:
    """The database of `uri` as shown to a person, without its password."""
    return str(sqlite_path(uri) or mask_uri(uri))
