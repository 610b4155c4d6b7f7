"""SQLite files: opens those that come from anywhere, creates them atomically, copies them.

A database may come with a cloned repository, and others may write in its folder. What is there is
therefore checked before it is read, a query has a deadline, and no file is made under a name that
others can foresee.

MLflow creates its tables in the database itself, over a second or more and without a lock. A kernel
and the dashboard that do so at once damage it. So the database is created aside and then linked
into place, which fails if a kernel was first. In that case this waits for the kernel.

Jupyter and kernels import this, so at module level it imports nothing heavy.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mlflow_proxy.reports import Step
from mlflow_proxy.stores import SQLite

TIMEOUT = 5.0  # seconds for a database to answer
COPY_TIMEOUT = 60.0  # seconds to wait for a writer before a copy
QUIET = 3.0  # seconds without a change after which no program is creating the database any more
LONGEST_CREATION = 30.0  # seconds
INTERVAL = 0.05  # seconds between checks
# MLflow's tables that are read here. A view, a virtual table or a computed column of such a name
# would run what the author of the file wants, for as long as they want.
TABLES = (
    *("alembic_version", "experiment_tags", "experiments", "jobs", "logged_models"),
    *("model_versions", "online_scoring_configs", "runs", "trace_tags", "workspaces"),
)
OTHER_THAN_TABLES = f"""
    SELECT name FROM sqlite_master AS found WHERE lower(name) IN {TABLES} AND (type <> 'table'
    OR rootpage = 0 OR EXISTS (SELECT 1 FROM pragma_table_xinfo(found.name) WHERE hidden <> 0))
"""  # noqa: S608 (of the names above)
STEPS = 1000  # of SQLite's virtual machine between checks of the deadline
GRACE = 1.0  # seconds that a file may be missing: some programs delete it and write it anew

T = TypeVar("T")
Identity = list[int]  # device and inode
UNKNOWN: Identity = [0, 0]

_logger = logging.getLogger(__name__)


class RefusedFileError(sqlite3.DatabaseError):
    """The file is not as MLflow makes it."""


def connect(path: Path, mode: str = "ro", seconds: float = TIMEOUT) -> sqlite3.Connection:
    """Connect to the database at `path`, which may come from anywhere.

    After `seconds`, queries are interrupted. A lock is waited for as long.

    Raises:
        RefusedFileError: the file is not as MLflow makes it.
        sqlite3.Error: it cannot be opened.
    """
    check_file(path)
    connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=seconds)
    set_deadline(connection, seconds)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")  # https://sqlite.org/security.html
        if found := connection.execute(OTHER_THAN_TABLES).fetchone():
            raise RefusedFileError(f"{path}: {found[0]} is not a plain table")
    except BaseException:
        connection.close()
        raise
    return connection


def set_deadline(connection: sqlite3.Connection, seconds: float) -> None:
    """Interrupt what the connection does in `seconds` seconds."""
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)


def check_file(path: Path) -> None:
    """Check, without opening them, that the database at `path` and its journals are regular files.

    SQLite blocks for ever in a named pipe. A descriptor that is closed would end SQLite's locks.

    Raises:
        RefusedFileError: one is not.
    """
    target = os.path.realpath(path)  # beside which SQLite keeps the journals
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(OSError):  # it does not exist; or SQLite says why it cannot open
            if not stat.S_ISREG(os.lstat(f"{target}{suffix}").st_mode):
                raise RefusedFileError(f"{target}{suffix} is not a regular file")


def within(seconds: float, action: Callable[[], T]) -> T:
    """Run `action` in a thread, which goes on after a time-out.

    Raises:
        concurrent.futures.TimeoutError: it takes longer.
        Exception: any exception of `action`.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(action())
        except Exception as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(seconds)


@contextmanager
def made_aside(path: Path) -> Iterator[tuple[Path, Callable[[Path], None]]]:
    """A new file beside `path`, and a function that links it to a name or raises FileExistsError.

    Where others can write, a name may soon mean another file. So this one is in a folder that only
    this user can enter, and is linked and removed by that folder's descriptor.
    """
    folder = Path(tempfile.mkdtemp(prefix=".mlflow-", dir=path.parent))
    name, descriptor = path.name, os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL

    def link(target: Path) -> None:
        os.fsync(file)
        os.link(name, target, src_dir_fd=descriptor)

    try:
        # With the umask's mode: SQLite would ignore one that lets a group write.
        file = os.open(name, flags, 0o666, dir_fd=descriptor)
        try:
            yield folder / name, link
        finally:
            os.close(file)
            with contextlib.suppress(FileNotFoundError):  # it was renamed
                os.unlink(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # another folder, which is not empty, has its name
            folder.rmdir()


def copy_aside(path: Path, label: str) -> Path:
    """Copy the database at `path`, consistent while others write; returns the path of the copy.

    Raises:
        OSError, sqlite3.Error: it could not be copied, e.g. for lack of space.
    """
    with made_aside(path) as (part, link):
        with (
            closing(connect(path, "rw", COPY_TIMEOUT)) as source,
            closing(sqlite3.connect(part)) as target,
        ):
            target.execute("PRAGMA journal_mode = OFF")  # an incomplete copy is removed
            # Without a transaction, SQLite would wait for a lock without limit and start again
            # after each change. A transaction waits up to the time-out and keeps changes out.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(target)
        shutil.copymode(path, part)
        while True:
            copy = free_copy_path(path, label)
            try:
                link(copy)
            except FileExistsError:  # made under that name meanwhile
                continue
            except OSError:  # a file system without hard links
                part.rename(copy)
            _logger.info("The database as it was is kept at %s", copy)
            return copy


def free_copy_path(path: Path, label: str) -> Path:
    """A path for a copy of the database at `path` that does not exist yet, not even as a link."""
    suffixes = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    copies = (path.with_name(f"{path.name}.{label}{suffix}.bak") for suffix in suffixes)
    return next(copy for copy in copies if not os.path.lexists(copy))


def ensure(path: Path, create: Callable[[str], None], report: Callable[[Step], None]) -> None:
    """Ensure that a complete database is at `path`; `report` gets each step that takes time.

    `create` gets the URI of an empty one.

    Raises:
        OSError: the database cannot be written.
        RefusedFileError: what is there is not as MLflow makes it.
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
    from sqlalchemy import event  # noqa: PLC0415 (of MLflow's process and of kernels)
    from sqlalchemy.engine import Engine  # noqa: PLC0415

    def relax(connection: Any, _record: Any) -> None:
        """Do without a journal on disk. This halves the time, and saves more on a slow disk."""
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")

    with made_aside(path) as (aside, link), tempfile.TemporaryDirectory() as links:
        event.listen(Engine, "connect", relax)
        try:
            create(SQLite.at(aside, Path(links)).uri)
        finally:
            event.remove(Engine, "connect", relax)
        try:
            link(path)
        except FileExistsError:
            return False
        except OSError as error:
            # A file system without hard links: MLflow creates the database in place.
            _logger.warning("Cannot create %s atomically: %s", path, error)
            return False
    return True


def wait_until_created(path: Path) -> None:
    """Wait until the database is complete, or has not changed for `QUIET` seconds.

    Raises:
        RefusedFileError: what is there is not as MLflow makes it.
    """
    end = time.monotonic() + LONGEST_CREATION  # clocks may disagree
    while not is_complete(path) and time.monotonic() < end:
        if time.time() - _last_change(path) > QUIET:
            return
        time.sleep(INTERVAL)


def is_complete(path: Path) -> bool:
    """Whether it has an experiment, which MLflow creates after everything else.

    Raises:
        RefusedFileError: what is there is not as MLflow makes it.
    """
    try:
        with closing(connect(path)) as database:
            return bool(database.execute("SELECT 1 FROM experiments LIMIT 1").fetchall())
    except RefusedFileError:
        raise
    except sqlite3.Error:  # no such table yet, or locked by the writer
        return False


def _last_change(path: Path) -> float:
    """When the database or one of its journals was changed."""
    times = [0.0]
    for suffix in ("", "-journal", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.with_name(f"{path.name}{suffix}").stat().st_mtime)
    return max(times)


class OpenedFiles:
    """The files that MLflow has opened, to notice that one was replaced: paths and `identities`.

    A program that has opened a file keeps it, also when its path names another: MLflow would go on
    showing the runs of a deleted database. The files are never opened here, because closing a
    descriptor of a SQLite database drops all locks that this process has on it
    (https://sqlite.org/howtocorrupt.html, 2.2).
    """

    def __init__(self, opened: Mapping[str, Identity]) -> None:
        self._opened = opened
        self._missing_since: dict[Path, float] = {}

    async def replaced(self) -> Path | None:
        """The first path that no longer names the file that was opened; None if all do.

        Waits up to `GRACE` seconds for a missing file.
        """
        for name, opened in self._opened.items():
            # In a thread, because the server of a network file system may not answer.
            if await asyncio.to_thread(self._is_replaced, Path(name), opened):
                return Path(name)
        return None

    def _is_replaced(self, path: Path, opened: Identity) -> bool:
        while (now := identity(path)) is None:
            since = self._missing_since.setdefault(path, time.monotonic())
            if time.monotonic() - since > GRACE:
                # A folder that was moved away may come back: a new one would be in its way.
                return os.path.exists(os.path.dirname(os.path.realpath(path)))
            time.sleep(INTERVAL)
        self._missing_since.pop(path, None)
        return now != opened and UNKNOWN not in (now, opened)


def identities(paths: Iterable[Path]) -> dict[str, Identity]:
    """The `identity` of each file that exists, by its path."""
    return {str(path): found for path in paths if (found := identity(path))}


def identity(path: Path) -> Identity | None:
    """The file at `path`, links followed; None if there is none, `UNKNOWN` if that is not known."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # e.g. no permission
        return UNKNOWN
    return [status.st_dev, status.st_ino]
