"""Updates the locations of artifacts after the root folder was moved, only with consent."""

import logging
import os
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlflow_proxy.reports import DeclinedOffers, Offer, Repair
from mlflow_proxy.server import failures
from mlflow_proxy.server.errors import StartError
from mlflow_proxy.shared.stores import sqlite_path

from . import backup, database, moved_roots, sessions
from .moved_roots import Move, Roots, Search
from .sessions import Session
from .settings import StoreSettings, shown

LABEL = "before-move"  # in the name of the copy
EXPERIMENTS = "SELECT experiment_id, artifact_location FROM experiments"
# SQLite spares the rows of nearly all experiments. Other databases have other operators.
SQLITE_EXPERIMENTS = f"{EXPERIMENTS} WHERE artifact_location IS NOT :default || experiment_id"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Column:
    """A column in which MLflow looks up where files are; `keys` tell its rows apart."""

    table: str
    keys: tuple[str, ...]
    name: str
    where: str = ""


# What else may name a path says where something came from, and MLflow opens no file there: the
# notebook of a run (`mlflow.source.name`), the source of a dataset, parameters, inputs of traces.
# Tags that list the files and models of a run name them relative to the run.
COLUMNS = (
    Column("experiments", ("experiment_id",), "artifact_location"),
    Column("runs", ("run_uuid",), "artifact_uri"),
    Column("logged_models", ("model_id",), "artifact_location"),
    Column("model_versions", ("name", "version"), "source"),
    Column("model_versions", ("name", "version"), "storage_location"),
    Column(
        "trace_tags",
        ("request_id", "key"),
        "value",
        "WHERE key IN ('mlflow.artifactLocation', 'mlflow.trace.archiveLocation')",
    ),
    Column("workspaces", ("name",), "default_artifact_root"),
    Column("workspaces", ("name",), "trace_archival_location"),  # from MLflow 3.12
)
# Names of an experiment's files, by the folder in its location that they are in.
FILES = {
    "": "SELECT run_uuid FROM runs WHERE experiment_id = :experiment",
    "models": "SELECT model_id FROM logged_models WHERE experiment_id = :experiment",
    "traces": "SELECT request_id FROM trace_info WHERE experiment_id = :experiment",
}


def check(settings: StoreSettings, uris: Sequence[str], declined: DeclinedOffers) -> None:
    """Check that the locations in the databases `uris` are where the files are.

    Raises:
        StartError: the files were moved, and the user has not declined to update the locations; or
            a database cannot be read.
    """
    moves = find_moves(settings, uris)
    if not moves:
        return
    failure = moved(uris, moves)
    if failure.failure.offer and failure.failure.offer not in declined:
        raise failure
    _logger.info("The locations of artifacts remain as they are, as declined before")


def find_moves(settings: StoreSettings, uris: Sequence[str]) -> list[Move]:
    """The moves after which the locations in the databases `uris` were not updated.

    Raises:
        StartError: a database cannot be read.
    """
    roots = Roots(Path.cwd(), settings.served_artifacts)
    moves: list[Move] = []
    for uri in uris:
        try:
            with sessions.reader(uri, database.TIMEOUT) as session:
                is_beside = roots.hold(sqlite_path(uri))
                search = Search(roots, partial(_holds, session), is_beside)
                sql = SQLITE_EXPERIMENTS if sqlite_path(uri) else EXPERIMENTS
                moves += search.moves(session.rows(sql, {"default": roots.default}))
        except Exception as error:  # each driver has its own exceptions
            raise failures.explain(error, shown(uri)) from error
    return list(dict.fromkeys(moves))


def _holds(session: Session, experiment: int, folder: str) -> bool:
    """Whether `folder` holds files of `experiment`; no other store's files have their names."""
    for name, sql in FILES.items():
        try:
            files = set(os.listdir(os.path.join(folder, name)))
        except OSError:
            continue
        if files and any(row[0] in files for row in session.rows(sql, {"experiment": experiment})):
            return True
    return False


def moved(uris: Sequence[str], moves: Sequence[Move]) -> StartError:
    """The failure that offers to update the locations in the databases `uris`."""
    paths = [path for uri in uris if (path := sqlite_path(uri))]
    databases = " and ".join(map(shown, uris))
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
    offer = Offer(
        Repair.LOCATIONS,
        "Update locations",
        "\n".join([*lines, f"Database: {databases}"]),
        warning,
        tuple(str(backup.free_copy_path(path, LABEL)) for path in paths),
        decline="Open unchanged",
    )
    return StartError(reason, remedy, offer)


def run(settings: StoreSettings, uris: Sequence[str]) -> None:
    """Update the locations in the databases `uris`, in all of them or in none.

    Raises:
        StartError: they could not be updated.
    """
    moves = find_moves(settings, uris)
    if not moves:  # another program has updated them meanwhile
        return
    copies = [backup.copy_aside(path, LABEL) for uri in uris if (path := sqlite_path(uri))]
    unchanged = "The locations could not be updated, and nothing was changed."
    try:
        with ExitStack() as stack:
            # Committed in reverse order: after a failure the first still has the offer made.
            opened = [
                stack.enter_context(sessions.session(uri, backup.COPY_TIMEOUT)) for uri in uris
            ]
            for session in opened:
                update(session, moves)
            unchanged = ""
    except Exception as error:  # each driver has its own exceptions
        traceback.print_exc()
        for copy in copies if unchanged else ():
            with suppress(OSError):
                copy.unlink()
        why = failures.explain(error, " and ".join(map(shown, uris))).failure
        said = unchanged or "The update of the locations could not be completed."
        raise StartError(f"{said} {why.reason}", why.remedy) from error


def update(session: Session, moves: Sequence[Move]) -> None:
    """Update all locations in one database."""
    for column in COLUMNS:
        if column.name in session.columns(column.table):
            _update_column(session, column, moves)


def _update_column(session: Session, column: Column, moves: Sequence[Move]) -> None:
    table, name, keys = column.table, column.name, column.keys
    select = f"SELECT {', '.join(keys)}, {name} FROM {table} {column.where}"  # noqa: S608
    # The keys may name rows of several workspaces, which the old value tells apart.
    named = " AND ".join(f"{key} = :{key}" for key in keys)
    update = f"UPDATE {table} SET {name} = :new WHERE {named} AND {name} = :old"  # noqa: S608
    changes = []
    for *values, old in session.rows(select):
        if new := moved_roots.relocated(old, moves):
            changes.append({**dict(zip(keys, values, strict=True)), "old": old, "new": new})
    session.change(update, changes)
    _logger.info("%s.%s: %d updated", table, name, len(changes))
