"""Upgrades older databases: only with consent, SQLite only after a copy."""

import logging
import shlex
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from mlflow_proxy.reports import Offer, Repair
from mlflow_proxy.server import failures
from mlflow_proxy.server.errors import COMMAND, StartError
from mlflow_proxy.shared.revisions import Revisions
from mlflow_proxy.shared.stores import sqlite_path

from . import backup, database, server_creation
from .settings import StoreSettings, shown

_logger = logging.getLogger(__name__)


def check(settings: StoreSettings, revisions: Revisions, is_locked: bool = False) -> list[str]:
    """Check that every database has this MLflow's revision, or is new; URIs of those that have it.

    Databases on a server count as new while another program holds their locks, unless `is_locked`
    by this one.

    Raises:
        StartError: a database is older or newer, or cannot be read.
    """
    uris = []
    for uri, revision in existing(settings, revisions, is_locked):
        if revision != revisions.latest:
            raise outdated(uri, revision, revisions)
        uris.append(uri)
    return uris


def existing(
    settings: StoreSettings, revisions: Revisions, is_locked: bool
) -> Iterator[tuple[str, str]]:
    """URI and revision of each database that exists.

    Raises:
        StartError: a database cannot be read, or is newer.
    """
    for name, uri in settings.stores():
        if revision := revision_of(name, uri, revisions, is_locked):
            yield uri, revision


def revision_of(name: str, uri: str, revisions: Revisions, is_locked: bool) -> str | None:
    """The revision of the store `uri` of setting `name`; None if it is new, or no database.

    Raises:
        StartError: the database cannot be read, or is newer than this MLflow.
    """
    store = shown(uri)
    try:
        revision = database.revision_of(uri, revisions.latest, is_locked)
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
    offer = Offer(
        Repair.UPGRADE,
        "Upgrade database",
        shown(uri),
        "Notebooks and programs with an older MLflow cannot use the database afterwards. "
        "Stop those that use it now first.",
        (str(backup.free_copy_path(path, revision)),) if path else (),
    )
    return StartError(
        f"The database {shown(uri)} was made by an older MLflow "
        f"(its revision is {revision}, this MLflow needs {revisions.latest}).",
        "Upgrade it, after which older releases of MLflow cannot open it any more; "
        "or install the release that made it.",
        offer,
    )


def run(
    settings: StoreSettings, revisions: Revisions, upgrade_database: Callable[[str], None]
) -> None:
    """Upgrade the first older database, which is the one that `check` reported.

    Raises:
        StartError: it could not be upgraded.
    """
    with server_creation.alone(settings.servers()):
        # Another user of the same database may just have upgraded it.
        for uri, revision in existing(settings, revisions, is_locked=True):
            if revision != revisions.latest:
                path = sqlite_path(uri)
                copy = backup.copy_aside(path, revision) if path else None
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
                f"end what uses the database and run:{COMMAND}{command}"
            )
        why = failures.explain(error, shown(uri)).failure.reason
        raise StartError(f"The upgrade of {shown(uri)} has failed: {why}", remedy) from error
    _logger.info("%s is upgraded", shown(uri))
