"""Checks the revisions of databases before MLflow is imported, and upgrades older ones on consent.

MLflow reports after 105 s that a database does not answer. It upgrades some older databases without
asking, after which older programs cannot open them.
"""

import logging
import re
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow_proxy import sqlite_files
from mlflow_proxy.printable import mask_uri, quoted, quoted_argument
from mlflow_proxy.reports import Offer
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import COMMAND, StartError
from mlflow_proxy.stores import Database, SQLite

from . import locks
from .settings import StoreSettings, engine_of

NO_REVISION = "none"  # MLflow before 1.0 wrote no revision into its databases
# In MLflow's migrations. alembic needs MLflow's database code to read them: seconds of imports.
REVISIONS = re.compile(r"^(down_)?revision\b[^=\n]*=(.*)$", re.MULTILINE)
NAMES = re.compile(r"[\"'](\w+)[\"']")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Revisions:
    """`latest` is the revision that a database must have; `known` are all that lead to it."""

    latest: str
    known: frozenset[str]

    @classmethod
    def read(cls, mlflow_folder: Path) -> "Revisions":
        """Read them from MLflow's migrations.

        Raises:
            ValueError: the migrations have an unknown format.
        """
        known: set[str] = set()
        before: set[str] = set()
        for file in (mlflow_folder / "store" / "db_migrations" / "versions").glob("*.py"):
            for is_before, names in REVISIONS.findall(file.read_text(encoding="utf-8")):
                (before if is_before else known).update(NAMES.findall(names))
        try:
            (latest,) = known - before
        except ValueError:
            raise ValueError(f"{mlflow_folder} has no single latest revision") from None
        return cls(latest, frozenset(known))


def check(settings: StoreSettings, revisions: Revisions, is_alone: bool = False) -> list[Database]:
    """Check that every database has this MLflow's revision, or is new; returns those that have it.

    `is_alone`: this program holds the creation lock.

    Raises:
        StartError: a database is older or newer, or cannot be read.
    """
    found = []
    for store, revision in existing(settings, revisions, is_alone):
        if revision != revisions.latest:
            raise outdated(store, revision, revisions, may_upgrade=settings.may_upgrade(store))
        found.append(store)
    return found


def existing(
    settings: StoreSettings, revisions: Revisions, is_alone: bool
) -> Iterator[tuple[Database, str]]:
    """Each database that exists, and its revision.

    Raises:
        StartError: a database cannot be read, or is newer than this MLflow.
    """
    for name, store in settings.databases.items():
        try:
            revision = revision_of(store, is_alone)
        except Exception as error:  # each driver has its own exceptions
            _logger.warning("%s: %s", type(error).__name__, error)
            raise failures.explain(error, store.shown, name) from error
        if revision and revision not in revisions.known | {NO_REVISION}:
            # alembic's message, seconds earlier.
            word = re.match(r"\w{1,40}", revision)
            what = f"Can't locate revision identified by '{word[0] if word else '?'}'"
            raise failures.explain(LookupError(what), store.shown, name)
        if revision:
            yield store, revision


def revision_of(store: Database, is_alone: bool = False) -> str | None:
    """The revision of a database; None if it is new.

    Waits while another program creates a SQLite file. A database on a server is new until it has
    an experiment, of which MLflow creates the first after everything else, and counts as new while
    another program has its creation lock.

    Raises:
        Exception: any exception of the driver, or TimeoutError after `TIMEOUT` seconds.
    """
    if isinstance(store, SQLite):
        if not store.path.exists():
            return None
        sqlite_files.wait_until_created(store.path)
        revision, is_used = _read(store)
        return revision or (NO_REVISION if is_used else None)

    def read() -> tuple[str | None, bool]:
        is_locked = not is_alone and locks.is_being_created(store)
        return (None, False) if is_locked else _read(store)

    # Each driver has other time-outs and other options.
    revision, is_used = sqlite_files.within(sqlite_files.TIMEOUT, read)
    return (revision or NO_REVISION) if is_used else None


def _read(store: Database) -> tuple[str | None, bool]:
    """The revision of a database, and whether it has experiments."""
    import sqlalchemy

    with engine_of(store).connect() as connection:
        tables = sqlalchemy.inspect(connection)

        def first(name: str, column: str) -> str | None:
            rows = sqlalchemy.select(sqlalchemy.text(column)).select_from(sqlalchemy.text(name))
            found = connection.scalar(rows.limit(1)) if tables.has_table(name) else None
            return None if found is None else str(found)

        return first("alembic_version", "version_num"), first("experiments", "1") is not None


def outdated(
    store: Database, revision: str, revisions: Revisions, *, may_upgrade: bool
) -> StartError:
    """The failure that offers the upgrade of `store`, or says who may upgrade it."""
    reason = (
        f"The database {quoted(store.shown)} was made by an older MLflow "
        f"(its revision is {quoted(revision)}, this MLflow needs {revisions.latest})."
    )
    if not may_upgrade:
        words = (sys.executable, "-m", "mlflow", "db", "upgrade", mask_uri(store.uri))
        command = " ".join(map(quoted_argument, words))
        return StartError(
            reason,
            "Ask its administrator to upgrade it, once all who use it have this MLflow: an older "
            f"one cannot open it afterwards. After a backup, the administrator runs:{COMMAND}"
            f"{command}\n"
            "Until then, use the MLflow that you had (c.MLflowProxy.python names another one).",
        )
    copy = sqlite_files.free_copy_path(store.path, revision) if isinstance(store, SQLite) else ""
    return StartError(
        reason,
        "Upgrade it, after which older releases of MLflow cannot open it any more; "
        "or install the release that made it.",
        Offer(store.shown, str(copy)),
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
        for store, revision in existing(settings, revisions, is_alone=True):
            if revision != revisions.latest:
                if not settings.may_upgrade(store):
                    raise outdated(store, revision, revisions, may_upgrade=False)
                _upgrade(store, revision, upgrade_database)
                return


def _upgrade(store: Database, revision: str, upgrade_database: Callable[[str], None]) -> None:
    remedy = "The last lines of the log, below, say more."
    if isinstance(store, SQLite):
        try:
            copy = sqlite_files.copy_aside(store.path, revision)
        except (OSError, sqlite3.Error) as error:
            why = failures.explain(error, store.shown).failure
            reason = f"The database could not be copied, and was not changed. {why.reason}"
            raise StartError(reason, why.remedy) from error
        command = " ".join(map(quoted_argument, ("cp", copy, store.path)))
        remedy = (
            f"The database as it was is kept at {quoted(copy)}. To go back to it, "
            f"end what uses the database and run:{COMMAND}{command}"
        )
    try:
        upgrade_database(store.uri)
    except Exception as error:  # a migration can fail in any way
        traceback.print_exc()
        why = failures.explain(error, store.shown).failure
        reason = f"The upgrade of {quoted(store.shown)} has failed: {why.reason}"
        raise StartError(reason, remedy) from error
    _logger.info("%s is upgraded", store.shown)
