"""Checks the revisions of databases before MLflow is imported, and upgrades older ones on consent.

MLflow reports after 105 s that a database does not answer. It upgrades some older databases without
asking, after which older programs cannot open them.
"""

import functools
import logging
import shlex
import time
import traceback
from collections.abc import Callable, Iterator

from mlflow_proxy.reports import Offer, Repair
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import COMMAND, StartError
from mlflow_proxy.sqlite_creation import Revisions
from mlflow_proxy.stores import Database, SQLite

from . import backup, database, locks
from .settings import StoreSettings

NO_REVISION = "none"  # MLflow before 1.0 wrote no revision into its databases
REVISION = "SELECT version_num FROM alembic_version"
EXPERIMENTS = "SELECT COUNT(*) FROM experiments"  # drivers fetch all rows of a result
QUIET = 3.0  # seconds without a new revision after which no program is creating a database any more
INTERVAL = 0.1  # seconds between checks

_logger = logging.getLogger(__name__)


def check(settings: StoreSettings, revisions: Revisions, is_locked: bool = False) -> list[Database]:
    """Check that every database has this MLflow's revision, or is new; returns those that have it.

    Databases on a server count as new while another program holds their locks, unless `is_locked`
    by this one.

    Raises:
        StartError: a database is older or newer, or cannot be read.
    """
    found = []
    for store, revision in existing(settings, revisions, is_locked):
        if revision != revisions.latest:
            raise outdated(store, revision, revisions)
        found.append(store)
    return found


def existing(
    settings: StoreSettings, revisions: Revisions, is_locked: bool
) -> Iterator[tuple[Database, str]]:
    """Each database that exists, and its revision.

    Raises:
        StartError: a database cannot be read, or is newer than this MLflow.
    """
    for name, store in settings.stores.items():
        if not isinstance(store, Database):
            continue
        try:
            revision = revision_of(store, revisions.latest, is_locked)
        except Exception as error:  # each driver has its own exceptions
            _logger.warning("%s: %s", type(error).__name__, error)
            raise failures.explain(error, store.shown, name) from error
        if revision and revision not in revisions.known | {NO_REVISION}:
            # alembic's message, seconds earlier.
            newer = LookupError(f"Can't locate revision identified by '{revision}'")
            raise failures.explain(newer, store.shown, name)
        if revision:
            yield store, revision


def revision_of(store: Database, latest: str, is_locked: bool = False) -> str | None:
    """The revision of a database; None if it is new.

    Waits while another program creates the database, until it has revision `latest`. One on a
    server counts as new while another program holds its lock, unless `is_locked` by this one.

    Raises:
        Exception: any exception of the driver, or TimeoutError after `database.TIMEOUT` seconds.
    """
    if isinstance(store, SQLite) and not store.path.exists():
        return None
    read = functools.partial(_read, store, is_locked)
    # Each driver has other time-outs and other options.
    timeout = None if isinstance(store, SQLite) else database.TIMEOUT
    revision, is_used = database.within(timeout, read)
    changed = store.path.stat().st_mtime if isinstance(store, SQLite) else time.time()
    since = time.monotonic() - max(0.0, time.time() - changed)  # clocks may disagree
    # MySQL shows each step of a creation. MLflow makes the first experiment last.
    while revision not in (None, latest) and not is_used and time.monotonic() - since < QUIET:
        time.sleep(INTERVAL)
        before, (revision, is_used) = revision, database.within(timeout, read)
        since = since if revision == before else time.monotonic()
    return revision or (NO_REVISION if is_used else None)


def _read(store: Database, is_locked: bool) -> tuple[str | None, bool]:
    """The revision of a database, and whether it has experiments: then it has been created."""
    import sqlalchemy

    with database.reading(store) as connection:
        if not is_locked and locks.is_being_created(connection):
            return None, False
        tables, revision = sqlalchemy.inspect(connection), None
        if tables.has_table("alembic_version"):
            revision = connection.scalar(sqlalchemy.text(REVISION))
        has_experiments = tables.has_table("experiments")
        is_used = has_experiments and bool(connection.scalar(sqlalchemy.text(EXPERIMENTS)))
        return revision and str(revision), is_used


def outdated(store: Database, revision: str, revisions: Revisions) -> StartError:
    """The failure that offers the upgrade of `store`."""
    offer = Offer(
        Repair.UPGRADE,
        "Upgrade database",
        store.shown,
        "Notebooks and programs with an older MLflow cannot use the database afterwards. "
        "Stop those that use it now first.",
        (str(backup.free_copy_path(store.path, revision)),) if isinstance(store, SQLite) else (),
    )
    return StartError(
        f"The database {store.shown} was made by an older MLflow "
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
    with locks.alone(settings.servers):
        # Another user of the same database may just have upgraded it.
        for store, revision in existing(settings, revisions, is_locked=True):
            if revision != revisions.latest:
                _upgrade(store, revision, upgrade_database)
                return


def _upgrade(store: Database, revision: str, upgrade_database: Callable[[str], None]) -> None:
    remedy = "The last lines of the log, below, say more."
    if isinstance(store, SQLite):
        copy = backup.copy_aside(store.path, revision)
        command = shlex.join(["cp", str(copy), store.shown])
        remedy = (
            f"The database as it was is kept at {copy}. To go back to it, "
            f"end what uses the database and run:{COMMAND}{command}"
        )
    try:
        upgrade_database(store.uri)
    except Exception as error:  # a migration can fail in any way
        traceback.print_exc()
        why = failures.explain(error, store.shown).failure.reason
        raise StartError(f"The upgrade of {store.shown} has failed: {why}", remedy) from error
    _logger.info("%s is upgraded", store.shown)
