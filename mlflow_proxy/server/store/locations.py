"""Updates the locations of artifacts after the root folder was moved, only with consent.

The artifact root has a folder for each experiment, named by its number. So the location of an
experiment says where its artifact root was. What precedes the tail that today's artifact root has
below the root folder was the root folder.
"""

import logging
import os
import sqlite3
import traceback
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from os.path import lexists, normpath, realpath
from pathlib import Path
from urllib.parse import quote, unquote

from mlflow_proxy import sqlite_files
from mlflow_proxy.quoting import quoted
from mlflow_proxy.reports import DeclinedOffers, Offer, Repair
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.stores import Database, SQLite

from .settings import StoreSettings

# The columns in which MLflow looks up where files are. What else may name a path says where
# something came from, and MLflow opens no file there: the notebook of a run (`mlflow.source.name`),
# the source of a dataset, parameters, inputs of traces. Tags that list the files and models of a
# run name them relative to the run.
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
    ("workspaces", "default_artifact_root"),
    ("workspaces", "trace_archival_location"),  # MLflow >=3.12
)
LOGGED = (("runs", "artifact_uri"), ("logged_models", "artifact_location"), ("trace_tags", "value"))
TRACE_TAGS = ("mlflow.artifactLocation", "mlflow.trace.archiveLocation")
MAX_PATH = 4096  # characters, as Linux has it
MAX_MOVES = 20  # at once
LABEL = "before-move"  # in the name of the copy
UPDATE_TIMEOUT = 600.0  # seconds for the rows of a database; its author may have made them endless

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Move:
    """What was in the folder `old` is in the folder `new`."""

    old: str
    new: str


def relocated(text: object, moves: Sequence[Move]) -> str | None:
    """The location `text` after `moves`; None if it remains as it is.

    Files that are only in the old folder keep their location.
    """
    path = path_of(text)
    for move in moves:
        if path and is_within(path, move.old):
            new = move.new + path.removeprefix(move.old)
            if os.path.exists(path) and not os.path.exists(new):
                return None
            is_uri = str(text).startswith("file://")
            return f"file://{quote(os.fsencode(new))}" if is_uri else as_path(new)
    return None


def path_of(text: object) -> str | None:
    """The path of the location `text` as MLflow's clients read it; None if it is elsewhere."""
    path = unquote(text.removeprefix("file://")) if isinstance(text, str) else ""
    # `..` could lead anywhere.
    is_plain = ".." not in path.split("/") and "\0" not in path and len(path) < MAX_PATH
    return path if path[:1] == "/" and is_plain else None


def as_path(path: str) -> str:
    """The spelling of a `path` as a location that is no URI, in which %20 is a blank."""
    return path if unquote(path) == path else path.replace("%", "%25")


def is_within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def moves_in(connection: sqlite3.Connection, artifact_root: str) -> list[Move]:
    """The moves after which the locations in a database were not updated, the deepest first.

    The database is in the root folder, and was in the former one.
    """
    root, artifacts = str(Path.cwd()), path_of(artifact_root.rstrip("/"))
    if artifacts is None:
        return []
    experiments: defaultdict[str, set[str]] = defaultdict(set)
    query = "SELECT experiment_id, artifact_location FROM experiments"
    for number, text in connection.execute(query):
        former, name = os.path.split(normpath(path_of(text) or ""))
        if name == str(number):
            experiments[former].add(name)
    tail = artifacts.removeprefix(root) if is_within(artifacts, root) else None
    found: list[Move] = []
    for former, names in experiments.items():
        if realpath(former) == realpath(artifacts):
            continue
        old = former.removesuffix(tail) if tail is not None and former.endswith(tail) else ""
        if old and not lexists(old):
            found.append(Move(old, root))
            continue
        # The former root may hold other things, which were not moved.
        move = Move(former, artifacts)
        is_here = any(lexists(os.path.join(artifacts, name)) for name in names)
        if is_here and _has_files(connection, move):
            found.append(move)
    return sorted(found, key=lambda move: -len(move.old))


def _has_files(connection: sqlite3.Connection, move: Move) -> bool:
    """Whether something that the database names is in the new folder.

    A database of another place, put here, may have experiments of the same numbers.
    """
    for table, column in LOGGED:
        for (text,) in connection.execute(f"SELECT {column} FROM {table}"):  # noqa: S608
            path = path_of(text) or ""
            if is_within(path, move.old) and lexists(move.new + path[len(move.old) :]):
                return True
    return False


def check(settings: StoreSettings, stores: Sequence[Database], declined: DeclinedOffers) -> None:
    """Check that the locations in the databases `stores` are where the files are.

    Only in those that are in the root folder: the artifacts of others may be anywhere.

    Raises:
        StartError: the files were moved, and the user has not declined to update the locations.
    """
    try:
        moves = find_moves(settings, stores)
    except sqlite3.Error as error:  # above all, there are too many to look at
        _logger.warning("It is not known whether the locations of artifacts are right: %s", error)
        return
    if not moves:
        return
    offer = offer_of(stores, moves)
    if offer not in declined:
        reasons = [
            f"{quoted(move.old)} was moved or copied to {quoted(move.new)}." for move in moves
        ]
        raise StartError(
            "\n".join([*reasons, "The database has the old locations of artifacts."]),
            "Update the locations: until then MLflow does not find these artifacts. "
            "Or open it unchanged, and you are not asked again.",
            offer,
        )
    _logger.info("The locations of artifacts remain as they are, as declined before")


def find_moves(
    settings: StoreSettings, stores: Sequence[Database], seconds: float = sqlite_files.TIMEOUT
) -> list[Move]:
    """The moves after which the locations in the databases `stores` were not updated.

    Raises:
        sqlite3.Error: a database cannot be read, or not in `seconds` seconds.
    """
    moves: list[Move] = []
    for path in _files_in_root(stores):
        with closing(sqlite_files.connect(path, "rw", seconds)) as connection:
            moves += moves_in(connection, settings.served_artifacts)
    return list(dict.fromkeys(moves))[:MAX_MOVES]


def _files_in_root(stores: Sequence[Database]) -> list[Path]:
    files = [store.path for store in stores if isinstance(store, SQLite)]
    return [path for path in files if is_within(str(path), str(Path.cwd()))]


def offer_of(stores: Sequence[Database], moves: Sequence[Move]) -> Offer:
    """The offer to update the locations in the databases `stores`."""
    lines = [f"From: {quoted(move.old)}\nTo: {quoted(move.new)}" for move in moves]
    files = _files_in_root(stores)
    return Offer(
        Repair.LOCATIONS,
        "Update locations",
        "\n".join([*lines, f"Database: {' and '.join(map(quoted, files))}"]),
        "Stop notebooks and programs that use the database first: they would go on writing to the "
        "old folder. What is only there keeps its location.",
        tuple(str(sqlite_files.free_copy_path(path, LABEL)) for path in files),
        decline="Open unchanged",
    )


def run(settings: StoreSettings, stores: Sequence[Database]) -> None:
    """Update the locations in the databases `stores`, in each of them all or none.

    Raises:
        StartError: they could not be updated.
        sqlite3.Error: a database cannot be read.
    """
    moves = find_moves(settings, stores, sqlite_files.COPY_TIMEOUT)
    if not moves:  # another program has updated them meanwhile
        return
    for path in _files_in_root(stores):
        copy = None
        try:
            copy = sqlite_files.copy_aside(path, LABEL)
            connection = sqlite_files.connect(path, "rw", sqlite_files.COPY_TIMEOUT)
            with closing(connection), connection:  # which rolls back if anything is raised
                update(connection, moves)
        except (OSError, sqlite3.Error) as error:
            traceback.print_exc()
            if copy:
                copy.unlink()
            why = failures.explain(error, str(path)).failure
            reason = f"The locations could not be updated, and nothing was changed. {why.reason}"
            raise StartError(reason, why.remedy) from error


def update(connection: sqlite3.Connection, moves: Sequence[Move]) -> None:
    """Update all locations in one database."""
    connection.execute("BEGIN IMMEDIATE")
    sqlite_files.set_deadline(connection, UPDATE_TIMEOUT)
    connection.create_function("relocated", 1, lambda text: relocated(text, moves))
    for table, column in COLUMNS:
        if column not in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}:
            continue
        condition = f"AND key IN {TRACE_TAGS}" if table == "trace_tags" else ""
        updated = connection.execute(
            f"UPDATE {table} SET {column} = relocated({column}) "  # noqa: S608 (of names above)
            f"WHERE relocated({column}) IS NOT NULL {condition}"
        )
        _logger.info("%s.%s: %d updated", table, column, updated.rowcount)
