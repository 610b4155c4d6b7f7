"""Creates a new SQLite store atomically.

MLflow creates its tables in the database itself, over a second or more and without a lock. A kernel
and the dashboard that do so at the same time damage it. The database is therefore created aside and
then linked into place, which fails if a kernel was first. In that case this waits for the kernel.
"""

import contextlib
import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow_proxy.reports import Step

QUIET = 3.0  # seconds without a change after which no program is creating the database any more
INTERVAL = 0.05  # seconds between checks

_logger = logging.getLogger(__name__)


def ensure(
    path: Path,
    create: Callable[[Path], None],
    latest_revision: str,
    report: Callable[[Step], None],
) -> None:
    """Ensure that a complete database is at `path`; `report` gets each step that takes time.

    Raises:
        OSError: the database cannot be written.
    """
    if not path.exists():
        report(Step.CREATE)
        if create_aside(path, create):
            return
    if path.exists() and not _is_complete(path, latest_revision):
        report(Step.WAIT)
        wait_until_created(path, latest_revision)


def create_aside(path: Path, create: Callable[[Path], None]) -> bool:
    """Create a database aside and link it to `path`; False if another program was faster."""
    with tempfile.TemporaryDirectory(prefix=".mlflow-", dir=path.parent) as folder:
        aside = Path(folder) / path.name
        aside.touch()  # SQLite would ignore a umask that lets a group write
        with unsafe_but_fast():
            create(aside)
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


def wait_until_created(path: Path, latest_revision: str) -> None:
    """Wait until the database is complete, or has not changed for `QUIET` seconds."""
    last, since = _fingerprint(path), time.monotonic() - _age(path)
    while not _is_complete(path, latest_revision) and time.monotonic() - since < QUIET:
        time.sleep(INTERVAL)
        if (now := _fingerprint(path)) != last:
            last, since = now, time.monotonic()


def _is_complete(path: Path, latest_revision: str) -> bool:
    """Whether it has the latest tables and the default experiment, which MLflow makes last."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            revisions = database.execute("SELECT version_num FROM alembic_version").fetchall()
            experiments = database.execute("SELECT 1 FROM experiments LIMIT 1").fetchall()
    except sqlite3.Error:  # no such table yet, or locked by the writer
        return False
    return revisions == [(latest_revision,)] and bool(experiments)


def _fingerprint(path: Path) -> list[tuple[int, int] | None]:
    files = [path, path.with_name(f"{path.name}-journal"), path.with_name(f"{path.name}-wal")]
    return [_stat(file) for file in files]


def _age(path: Path) -> float:
    """Seconds since the database was last changed; 0 where clocks disagree."""
    changed = max(times[1] for times in _fingerprint(path) if times) / 1e9
    return max(0.0, time.time() - changed)


def _stat(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns
