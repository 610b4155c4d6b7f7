"""Updates the locations of artifacts in SQLite stores after their root folder was moved.

The artifact root has a folder for each experiment, named by its number. So the location of an
experiment says where its artifact root was. If files that the database names are in today's and not
there any more, it was moved. What is only there keeps its location: a notebook that logs before
MLflow starts makes the former folder anew. To update the locations needs no consent: all lead into
today's folders, whatever the database says, and a move back updates them back.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from os.path import basename, dirname, lexists, normpath
from pathlib import Path
from urllib.parse import unquote

from mlflow_proxy import sqlite_files
from mlflow_proxy.printable import quoted
from mlflow_proxy.stores import Database, SQLite, folder_location

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
MAX_LOCATION = 3 * 4096  # characters: the longest path of Linux, each byte as %XX
TIMEOUT = 60.0  # seconds for other programs to stop writing, and for all rows

_logger = logging.getLogger(__name__)


def update_moved(settings: StoreSettings, stores: Sequence[Database]) -> None:
    """Update the locations in those of the databases `stores` that were moved.

    Only in the root folder: the artifacts of other databases may be anywhere. A failure is logged:
    MLflow then does not find these artifacts, but works.
    """
    for store in stores:
        if isinstance(store, SQLite) and is_within(str(store.path), str(Path.cwd())):
            try:
                _update_file(store.path, settings.served_artifacts)
            except sqlite3.Error as error:
                text = "Cannot check or update the locations of artifacts in %s: %s"
                _logger.warning(text, quoted(store.path), quoted(error))


def _update_file(database: Path, artifact_root: str) -> None:
    connection = sqlite_files.connect(database, "rw", TIMEOUT)
    with closing(connection), connection:  # which rolls back if anything is raised
        sqlite_files.set_deadline(connection, sqlite_files.TIMEOUT)
        moves = find_moves(connection, artifact_root)
        if not moves:
            return
        sqlite_files.set_deadline(connection, TIMEOUT)
        count = _update(connection, moves)
    for old, new in moves.items():
        _logger.info("%s was moved to %s", quoted(old), quoted(new))
    _logger.info("Updated %d locations of artifacts in %s", count, quoted(database))


def find_moves(connection: sqlite3.Connection, artifact_root: str) -> dict[str, str]:
    """The former folders that a database names, the deepest first, and where each is today."""
    artifacts = path_of(artifact_root)
    if artifacts is None:
        return {}
    rows = connection.execute("SELECT experiment_id, artifact_location FROM experiments")
    paths = ((path_of(location), str(number)) for number, location in rows)
    moves = [
        _move(former, artifacts)
        for former in {dirname(path) for path, number in paths if path and basename(path) == number}
        if _was_moved(connection, former, artifacts)
    ]
    return dict(sorted(moves, key=lambda move: -len(move[0])))


def _was_moved(connection: sqlite3.Connection, former: str, artifacts: str) -> bool:
    """Whether something that the database names in the folder `former` is only in `artifacts`.

    A database of another place, put here, may have experiments of the same numbers.
    """
    queries = (f"SELECT {column} FROM {table}" for table, column in LOGGED)  # noqa: S608
    paths = (path_of(text) or "" for query in queries for (text,) in connection.execute(query))
    inside = (path.removeprefix(former) for path in paths if is_within(path, former))
    return any(lexists(f"{artifacts}{each}") and not lexists(f"{former}{each}") for each in inside)


def _move(former: str, artifacts: str) -> tuple[str, str]:
    """What was moved, and where to: the root folder, or else the artifact root `former` alone."""
    root = str(Path.cwd())
    if is_within(artifacts, root):
        old = former.removesuffix(artifacts.removeprefix(root.rstrip("/")))
        if old not in ("", former) and not lexists(old):
            return old, root
    return former, artifacts


def _update(connection: sqlite3.Connection, moves: Mapping[str, str]) -> int:
    """Update all locations in one database; returns how many."""
    connection.execute("BEGIN IMMEDIATE")
    connection.create_function("relocated", 1, lambda text: relocated(text, moves))
    count = 0
    for table, column in COLUMNS:
        if column not in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}:
            continue
        condition = f"key IN {TRACE_TAGS} AND" if table == "trace_tags" else ""
        count += connection.execute(
            f"UPDATE {table} SET {column} = relocated({column}) "  # noqa: S608 (of names above)
            f"WHERE {condition} relocated({column}) IS NOT NULL"
        ).rowcount
    return count


def relocated(text: object, moves: Mapping[str, str]) -> str | None:
    """The location `text` after the first of `moves` that concerns it; None if it stays."""
    path = path_of(text) or ""
    for old, new in moves.items():
        if is_within(path, old):
            moved = Path(new, path.removeprefix(old).lstrip("/"))
            if lexists(path) and not lexists(moved):
                return None
            return moved.as_uri() if str(text).startswith("file:") else folder_location(moved)
    return None


def path_of(text: object) -> str | None:
    """The path of the location `text` as MLflow's clients read it; None if it is elsewhere."""
    if not isinstance(text, str) or len(text) > MAX_LOCATION:
        return None
    path = unquote(text.removeprefix("file://"))
    return normpath(path) if path[:1] == "/" else None  # without `..`, which leads elsewhere


def is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
