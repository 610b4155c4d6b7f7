"""Creates a new SQLite store atomically, and reads which revision MLflow gives it.

MLflow creates its tables in the database itself, over a second or more and without a lock. A kernel
and the dashboard that do so at the same time damage it. The database is therefore created aside and
then linked into place, which fails if a kernel was first. In that case this waits for the kernel.

Kernels import this, so at module level it imports nothing heavy.
"""

import contextlib
import logging
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_proxy.reports import Step
from mlflow_proxy.stores import SQLite

QUIET = 3.0  # seconds without a change after which no program is creating the database any more
INTERVAL = 0.05  # seconds between checks
# In MLflow's migrations. alembic needs MLflow's database code to read them: seconds of imports.
REVISION = re.compile(r"^revision\b[^=\n]*=\s*[\"'](\w+)[\"']", re.MULTILINE)
BEFORE = re.compile(r"^down_revision\b[^=\n]*=(.*)$", re.MULTILINE)
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
            text = file.read_text(encoding="utf-8")
            known.update(REVISION.findall(text))
            before.update(name for names in BEFORE.findall(text) for name in NAMES.findall(names))
        try:
            (latest,) = known - before
        except ValueError:
            raise ValueError(f"{mlflow_folder} has no single latest revision") from None
        return cls(latest, frozenset(known))


def ensure(path: Path, create: Callable[[str], None], report: Callable[[Step], None]) -> None:
    """Ensure that a complete database is at `path`; `report` gets each step that takes time.

    `create` gets the URI of an empty one.

    Raises:
        OSError: the database cannot be written.
    """
    if not path.exists():
        report(Step.CREATE)
        if create_aside(path, create):
            return
    if path.exists() and not is_complete(path):
        report(Step.WAIT)
        wait_until_created(path)


def create_aside(path: Path, create: Callable[[str], None]) -> bool:
    """Create a database aside and link it to `path`; False if another program was faster."""
    beside = tempfile.TemporaryDirectory(prefix=".mlflow-", dir=path.parent)
    with beside as folder, tempfile.TemporaryDirectory() as links:
        aside = Path(folder) / path.name
        aside.touch()  # SQLite would ignore a umask that lets a group write
        with unsafe_but_fast():
            create(SQLite.at(aside, Path(links)).uri)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return False
        except OSError as error:
            # A file system without hard links: MLflow creates the database in place.
            _logger.warning("Cannot create %s atomically: %s", path, error)
            return False
    return True


@contextmanager
def unsafe_but_fast() -> Iterator[None]:
    """Disable the durability of SQLite connections that are opened meanwhile.

    A database that no other program can see needs no journal on disk. This halves the time of its
    creation, and saves far more on a slow disk.
    """
    from sqlalchemy import event  # noqa: PLC0415 (of MLflow's process and of kernels)
    from sqlalchemy.engine import Engine  # noqa: PLC0415

    def relax(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")

    event.listen(Engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(Engine, "connect", relax)


def wait_until_created(path: Path) -> None:
    """Wait until the database is complete, or has not changed for `QUIET` seconds."""
    last = _last_change(path)
    since = time.monotonic() - max(0.0, time.time() - last)  # clocks may disagree
    while not is_complete(path) and time.monotonic() - since < QUIET:
        time.sleep(INTERVAL)
        if (now := _last_change(path)) != last:
            last, since = now, time.monotonic()


def is_complete(path: Path) -> bool:
    """Whether it has an experiment: MLflow creates the default one after everything else."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            return bool(database.execute("SELECT 1 FROM experiments LIMIT 1").fetchall())
    except sqlite3.Error:  # no such table yet, or locked by the writer
        return False


def _last_change(path: Path) -> float:
    """When the database or one of its journals was changed."""
    times = [0.0]
    for suffix in ("", "-journal", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.with_name(f"{path.name}{suffix}").stat().st_mtime)
    return max(times)
