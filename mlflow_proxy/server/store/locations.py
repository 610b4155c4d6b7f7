"""Updates the locations of artifacts after the root folder was moved, only with consent.

From where it was moved follows from the locations of experiments whose files are here now.
"""

import functools
import logging
import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from os.path import join
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mlflow_proxy.reports import DeclinedOffers, Offer, Repair
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.stores import Database, SQLite

from . import backup, database
from .database import table
from .settings import StoreSettings

if TYPE_CHECKING:
    import sqlalchemy

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
TRACE_TAGS = ("mlflow.artifactLocation", "mlflow.trace.archiveLocation")
# What names the files of an experiment, by the folder in its location that they are in.
OWNERS = {
    "": ("runs", "run_uuid"),
    "models": ("logged_models", "model_id"),
    "traces": ("trace_info", "request_id"),
}
LABEL = "before-move"  # in the name of the copy

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Move:
    """What was in the folder `old` is in the folder `new`."""

    old: str
    new: str


def relocated(text: object, moves: Sequence[Move]) -> str | None:
    """The location `text` after `moves`, in its spelling; None if it remains as it is.

    Files that are only in the old folder keep their location.
    """
    if path_of(text) is None:
        return None
    spellings: tuple[Callable[[str], str], ...] = (as_path, lambda path: Path(path).as_uri())
    for move in moves:
        for spell in spellings:
            old, new = spell(move.old), spell(move.new)
            if isinstance(text, str) and is_within(text, old):
                tail = text[len(old) :]
                before, after = move.old + unquote(tail), move.new + unquote(tail)
                stays = os.path.exists(before) and not os.path.exists(after)
                return None if stays else new + tail
    return None


def path_of(text: object) -> str | None:
    """The path of the location `text` as MLflow's clients read it; None if it is elsewhere."""
    path = unquote(text.removeprefix("file://")) if isinstance(text, str) else ""
    # `..` could lead anywhere.
    return path if path[:1] == "/" and ".." not in path.split("/") and "\0" not in path else None


def as_path(path: str) -> str:
    """The spelling of a `path` as a location that is no URI, in which %20 is a blank."""
    return path if unquote(path) == path else path.replace("%", "%25")


def is_within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


class Search:
    """Finds the moves after which the locations of experiments in a database were not updated."""

    def __init__(
        self, connection: "sqlalchemy.Connection", artifact_root: str, is_beside: bool
    ) -> None:
        """`is_beside`: the database is in the root folder, and so was in the former one."""
        self._connection = connection
        self._default = artifact_root.rstrip("/")
        self._root = str(Path.cwd())
        self._artifacts = path_of(self._default) or ""
        self._is_beside = is_beside and is_within(self._artifacts, self._root)
        self._places = [each for each in (self._root, self._artifacts) if each]
        # Most experiments share one folder, and looking into it once saves thousands of calls.
        self._names_in = functools.cache(names_in)

    def moves(self) -> list[Move]:
        """The moves, that of the deepest folder first."""
        from sqlalchemy import String, cast, literal, select

        number, location = table("experiments", "experiment_id", "artifact_location").c
        default = literal(f"{self._default}/", String) + cast(number, String)
        query = select(number, location).where(location != default)
        found: list[Move] = []
        for experiment, text in self._connection.execute(query).all():  # few of thousands
            path = path_of(text)
            if path and not any(is_within(path, move.old) for move in found):
                found += self._moves_of(os.path.normpath(path), experiment)
        return sorted(found, key=lambda move: -len(move.old))

    def _moves_of(self, path: str, experiment: int) -> list[Move]:
        """The move of `path`, the location of an experiment, if it was moved."""
        if any(is_within(path, place) for place in self._places) and os.path.isdir(path):
            return []
        names = path.split("/")[1:]
        for place in self._places:
            for depth in range(len(names)):  # the most alike first
                here = join(place, *names[depth:])
                if here != path and self._holds(here, experiment):
                    # By another name, e.g. a symbolic link, the same folder.
                    is_same = os.path.isdir(path) and os.path.samefile(path, here)
                    return [] if is_same else [_widest(place, names, depth)]
        # There may be no files. But the database is here, and its former folder is gone.
        old = path.removesuffix(join(self._artifacts, str(experiment)).removeprefix(self._root))
        is_moved = self._is_beside and old not in ("", path) and not os.path.lexists(old)
        return [Move(old, self._root)] if is_moved else []

    def _holds(self, folder: str, experiment: int) -> bool:
        """Whether `folder` holds files of `experiment`; no other store's files have their names."""
        from sqlalchemy import select

        if os.path.basename(folder) not in self._names_in(os.path.dirname(folder)):
            return False
        for subfolder, (owners, key) in OWNERS.items():
            if names := names_in(join(folder, subfolder)):
                owner = table(owners, key, "experiment_id").c
                query = select(owner[key]).where(owner.experiment_id == experiment)
                if not names.isdisjoint(self._connection.scalars(query)):
                    return True
        return False


def names_in(folder: str) -> frozenset[str]:
    """The names in `folder`; none if it cannot be read."""
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def _widest(place: str, names: Sequence[str], depth: int) -> Move:
    """The widest move to `place` that is certain: of a folder that is gone, else of the parent.

    A folder that still exists may hold other things, which were not moved.
    """
    first = depth
    while depth < len(names) - 1 and os.path.isdir(join("/", *names[:depth])):
        depth += 1
    return Move(join("/", *names[: depth or 1]), join(place, *names[first : depth or 1]))


def check(settings: StoreSettings, stores: Sequence[Database], declined: DeclinedOffers) -> None:
    """Check that the locations in the databases `stores` are where the files are.

    Raises:
        StartError: the files were moved, and the user has not declined to update the locations; or
            a database cannot be read.
    """
    moves = find_moves(settings, stores)
    if not moves:
        return
    failure = moved(stores, moves)
    if failure.failure.offer and failure.failure.offer not in declined:
        raise failure
    _logger.info("The locations of artifacts remain as they are, as declined before")


def find_moves(settings: StoreSettings, stores: Sequence[Database]) -> list[Move]:
    """The moves after which the locations in the databases `stores` were not updated.

    Raises:
        StartError: a database cannot be read.
    """
    moves: list[Move] = []
    for store in stores:
        beside = isinstance(store, SQLite) and is_within(str(store.path), str(Path.cwd()))
        try:
            with database.reading(store) as connection:
                moves += Search(connection, settings.served_artifacts, beside).moves()
        except Exception as error:  # each driver has its own exceptions
            raise failures.explain(error, store.shown) from error
    return list(dict.fromkeys(moves))


def moved(stores: Sequence[Database], moves: Sequence[Move]) -> StartError:
    """The failure that offers to update the locations in the databases `stores`."""
    remain = [move.old for move in moves if os.path.isdir(move.old)]
    reason = "\n".join(
        f"Artifacts of {move.old} are in {move.new} as well. The database has the old locations."
        if move.old in remain
        else f"{move.old} was moved to {move.new}. The database has the old locations of artifacts."
        for move in moves
    )
    remedy = "Update the locations: until then MLflow does not find these artifacts."
    warning = (
        "Stop notebooks and programs that use the database first: they would go on writing to the "
        "old folder."
    )
    if remain:
        remedy = "Update the locations if the new folder is the one to use from now on."
        warning += (
            " What is only in the old folder keeps its location. Do not update a database that is "
            "still used with the old folder."
        )
    remedy += " Or open it unchanged, and you are not asked again."
    lines = [f"From: {move.old}\nTo: {move.new}" for move in moves]
    databases = " and ".join(store.shown for store in stores)
    offer = Offer(
        Repair.LOCATIONS,
        "Update locations",
        "\n".join([*lines, f"Database: {databases}"]),
        warning,
        tuple(str(backup.free_copy_path(path, LABEL)) for path in _files(stores)),
        decline="Open unchanged",
    )
    return StartError(reason, remedy, offer)


def run(settings: StoreSettings, stores: Sequence[Database]) -> None:
    """Update the locations in the databases `stores`, in all of them or in none.

    Raises:
        StartError: they could not be updated.
    """
    moves = find_moves(settings, stores)
    if not moves:  # another program has updated them meanwhile
        return
    copies = [backup.copy_aside(path, LABEL) for path in _files(stores)]
    unchanged = "The locations could not be updated, and nothing was changed."
    try:
        with ExitStack() as stack:
            # Committed in reverse order: after a failure the first still has the offer made.
            opened = [
                stack.enter_context(database.changing(store, backup.COPY_TIMEOUT))
                for store in stores
            ]
            for connection in opened:
                update(connection, moves)
            unchanged = ""
    except Exception as error:  # each driver has its own exceptions
        traceback.print_exc()
        for copy in copies if unchanged else ():
            with suppress(OSError):
                copy.unlink()
        why = failures.explain(error, " and ".join(store.shown for store in stores)).failure
        said = unchanged or "The update of the locations could not be completed."
        raise StartError(f"{said} {why.reason}", why.remedy) from error


def _files(stores: Sequence[Database]) -> list[Path]:
    return [store.path for store in stores if isinstance(store, SQLite)]


def update(connection: "sqlalchemy.Connection", moves: Sequence[Move]) -> None:
    """Update all locations in one database."""
    import sqlalchemy

    inspector = sqlalchemy.inspect(connection)
    for name, column in COLUMNS:
        if column not in {each["name"] for each in inspector.get_columns(name)}:
            continue
        keys = inspector.get_pk_constraint(name)["constrained_columns"]
        rows = table(name, column, *keys)
        query = sqlalchemy.select(*rows.c)
        if name == "trace_tags":
            query = query.where(rows.c["key"].in_(TRACE_TAGS))
        changes = [
            {"new": new, **{f"old_{key}": value for key, value in zip(keys, values, strict=True)}}
            for text, *values in connection.execute(query)
            if (new := relocated(text, moves))
        ]
        if changes:
            where = (rows.c[key] == sqlalchemy.bindparam(f"old_{key}") for key in keys)
            changed = sqlalchemy.update(rows).where(*where)
            connection.execute(changed.values({column: sqlalchemy.bindparam("new")}), changes)
        _logger.info("%s.%s: %d updated", name, column, len(changes))
