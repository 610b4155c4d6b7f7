"""Finds out which folder a store's files were moved from, by the files that are here now."""

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

# As MLflow's clients understand a location: a path, in which %20 is a blank, or a `file:` URI.
LOCATION = re.compile(
    r"(?P<scheme>file:(?://(?:localhost)?(?=/)|(?=/(?!/))))(?P<uri_path>/[^?#]*)|(?P<path>/.*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Location:
    """A location in a folder of this machine; `text` is as the database has it."""

    scheme: str
    text: str

    @classmethod
    def parse(cls, text: object) -> "Location | None":
        """Parse `text`; None for a relative path and for a location anywhere else."""
        match = LOCATION.fullmatch(text) if isinstance(text, str) else None
        if not match:
            return None
        result = cls(match["scheme"] or "", match["uri_path"] or match["path"])
        names = result.path.split("/")
        # `..` could lead anywhere, `%2f` makes two names of one.
        is_odd = ".." in names or "\0" in result.path or "%2f" in result.text.lower()
        return None if is_odd else result

    @property
    def path(self) -> str:
        """The folder's path, without repeated slashes and a slash at the end."""
        return "/" + "/".join(unquote(name) for name in self._names())

    def moved(self, move: "Move") -> str:
        """This location after `move`, in the same spelling."""
        depth = len([name for name in move.old.split("/") if name])
        new = quote(move.new) if self.scheme else move.new
        if unquote(new) != move.new:
            new = new.replace("%", "%25")
        tail = "/".join(self._names()[depth:])
        end = "/" if self.text.endswith("/") else ""
        return self.scheme + (f"{new.rstrip('/')}/{tail}{end}" if tail else f"{new}{end}")

    def _names(self) -> list[str]:
        return [name for name in self.text.split("/") if name not in ("", ".")]


@dataclass(frozen=True)
class Move:
    """What was in the folder `old` is in the folder `new`."""

    old: str
    new: str

    def concerns(self, path: str) -> bool:
        """Whether `path` was in `old`, and not in `new` already."""
        is_new = is_within(self.new, self.old) and is_within(path, self.new)
        return is_within(path, self.old) and not is_new

    def apply(self, path: str) -> str:
        """Where `path`, which was in `old`, is now."""
        return posixpath.join(self.new, posixpath.relpath(path, self.old))


@dataclass(frozen=True)
class Roots:
    """Where this store's files should be."""

    folder: Path
    """Jupyter's root folder."""
    artifact_root: str
    """The default artifact root, as MLflow gets it."""

    @property
    def paths(self) -> list[str]:
        """The paths below which a moved file may be."""
        artifacts = Location.parse(self.artifact_root)
        paths = [str(self.folder), artifacts.path if artifacts else ""]
        return [path for path in dict.fromkeys(paths) if path]

    def hold(self, database: Path | None) -> bool:
        """Whether `database` is a file in the root folder."""
        return database is not None and is_within(str(database), str(self.folder))

    def is_default(self, experiment: int, location: object) -> bool:
        """Whether an experiment has the location that MLflow gives it."""
        return location == f"{self.artifact_root.rstrip('/')}/{experiment}"


def find(
    experiments: Iterable[tuple[int, object]],
    roots: Roots,
    holds: Callable[[int, str], bool],
    is_beside_database: bool,
) -> list[Move]:
    """The moves after which `experiments`, ids and locations, were not changed.

    `holds` tells whether files of an experiment are in a folder. `is_beside_database`: the database
    is in the root folder, so it was in the former one, too.
    """
    moves: list[Move] = []
    for experiment, text in experiments:
        if roots.is_default(experiment, text):  # nearly all
            continue
        location = Location.parse(text)
        if location is None or any(move.concerns(location.path) for move in moves):
            continue
        move = _move_of_files(location.path, roots, partial(holds, experiment))
        if move is None and is_beside_database:
            move = _move_of_root(location.path, experiment, roots)
        if move:
            moves.append(move)
    return sorted(moves, key=lambda move: -len(move.old))


def _move_of_files(path: str, roots: Roots, holds: Callable[[str], bool]) -> Move | None:
    """The move of the folder `path` to the place where its files are."""
    if os.path.isdir(path) and any(is_within(path, root) for root in roots.paths):
        return None
    for root in roots.paths:
        for old, names in _splits(path):
            here = posixpath.join(root, *names)
            if here == path or not os.path.isdir(here) or not holds(here):
                continue
            # By another name, e.g. a symbolic link, the same folder.
            is_same = os.path.isdir(path) and os.path.samefile(path, here)
            return None if is_same else _widest(Move(old, root), names)
    return None


def _move_of_root(path: str, experiment: int, roots: Roots) -> Move | None:
    """The move of the root folder, where an experiment has the default location of the old one.

    There may be no files. But the database is here, and where it was is no folder any more.
    """
    artifacts = Location.parse(roots.artifact_root)
    if not artifacts or not is_within(artifacts.path, str(roots.folder)):
        return None
    default = posixpath.join(posixpath.relpath(artifacts.path, roots.folder), str(experiment))
    old = path.removesuffix(f"/{default}")
    if old in (path, "") or os.path.lexists(old):
        return None
    return Move(old, str(roots.folder))


def _splits(path: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Each way to split `path` into a folder and names below it, most names first."""
    names = path.split("/")[1:]
    for count in range(len(names)):
        yield "/" + "/".join(names[:count]), names[count:]


def _widest(move: Move, names: Sequence[str]) -> Move:
    """The widest move that is certain: of a folder that is gone, else of the experiment's parent.

    A folder that still exists may hold other things, which were not moved.
    """
    for name in names[:-1]:
        if not os.path.isdir(move.old):
            return move
        move = Move(posixpath.join(move.old, name), posixpath.join(move.new, name))
    return move if move.old != "/" else Move(f"/{names[-1]}", posixpath.join(move.new, names[-1]))


def is_within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def relocated(text: object, moves: Sequence[Move]) -> str | None:
    """The location `text` after `moves`; None if it remains as it is.

    Files that are only in the old folder keep their location.
    """
    location = Location.parse(text)
    if location is None:
        return None
    path = location.path
    for move in moves:
        if move.concerns(path):
            stays = os.path.exists(path) and not os.path.exists(move.apply(path))
            return None if stays else location.moved(move)
    return None
