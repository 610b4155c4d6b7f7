"""Finds out which folder a store's files were moved from, by the files that are here now."""

import contextlib
import functools
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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

    @functools.cached_property
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

    @functools.cached_property
    def artifacts(self) -> Location | None:
        """The artifact root, if it is a folder."""
        return Location.parse(self.artifact_root)

    @functools.cached_property
    def paths(self) -> list[str]:
        """The paths below which a moved file may be."""
        paths = [str(self.folder), self.artifacts.path if self.artifacts else ""]
        return [path for path in dict.fromkeys(paths) if path]

    @property
    def default(self) -> str:
        """What precedes an experiment's id in the location that MLflow gives it."""
        return f"{self.artifact_root.rstrip('/')}/"

    def hold(self, database: Path | None) -> bool:
        """Whether `database` is a file in the root folder."""
        return database is not None and is_within(str(database), str(self.folder))


@dataclass
class Search:
    """Finds the moves after which the locations of experiments were not changed."""

    roots: Roots
    holds: Callable[[int, str], bool]
    """Tells whether files of an experiment are in a folder."""
    is_beside_database: bool
    """Whether the database is in the root folder; then it was in the former one, too."""

    def __post_init__(self) -> None:
        # Most experiments share one folder, and looking into it once saves thousands of calls.
        self._places = functools.cache(self._find_places)

    def moves(self, experiments: Iterable[tuple[int, object]]) -> list[Move]:
        """The moves of `experiments`, ids and locations; the one of the deepest folder first."""
        default = self.roots.default
        moves: list[Move] = []
        for experiment, text in experiments:
            if text == f"{default}{experiment}":  # nearly all
                continue
            location = Location.parse(text)
            if location is None or any(move.concerns(location.path) for move in moves):
                continue
            if move := self._move_of(location.path, experiment):
                moves.append(move)
        return sorted(moves, key=lambda move: -len(move.old))

    def _move_of(self, path: str, experiment: int) -> Move | None:
        """The move of `path`, the location of an experiment."""
        if any(is_within(path, root) for root in self.roots.paths) and os.path.isdir(path):
            return None
        parent, name = posixpath.split(path)
        for place in self._places(parent):
            here = posixpath.join(place.folder, name)
            if here != path and name in place.names and self.holds(experiment, here):
                # By another name, e.g. a symbolic link, the same folder.
                is_same = os.path.isdir(path) and os.path.samefile(path, here)
                return None if is_same else _widest(place.move, path)
        return self._move_of_root(path, experiment) if self.is_beside_database else None

    def _find_places(self, parent: str) -> list["Place"]:
        """Where the folder `parent` may be now, the most alike first."""
        names = [name for name in parent.split("/") if name]
        places = []
        for root in self.roots.paths:
            for count in range(len(names) + 1):
                folder = posixpath.join(root, *names[count:])
                with contextlib.suppress(OSError):
                    move = Move("/" + "/".join(names[:count]), root)
                    places.append(Place(move, folder, frozenset(os.listdir(folder))))
        return places

    def _move_of_root(self, path: str, experiment: int) -> Move | None:
        """The move of the root folder, if an experiment has the default location of the old one.

        There may be no files. But the database is here, and its former folder is gone.
        """
        artifacts, folder = self.roots.artifacts, str(self.roots.folder)
        if not artifacts or not is_within(artifacts.path, folder):
            return None
        default = posixpath.join(posixpath.relpath(artifacts.path, folder), str(experiment))
        old = path.removesuffix(f"/{default}")
        return None if old in (path, "") or os.path.lexists(old) else Move(old, folder)


@dataclass(frozen=True)
class Place:
    """Where a folder would be after `move`, and the names of what is there."""

    move: Move
    folder: str
    names: frozenset[str]


def _widest(move: Move, path: str) -> Move:
    """The widest move that is certain: of a folder that is gone, else of the parent of `path`.

    A folder that still exists may hold other things, which were not moved.
    """
    *parents, last = posixpath.relpath(path, move.old).split("/")
    for name in parents:
        if not os.path.isdir(move.old):
            return move
        move = Move(posixpath.join(move.old, name), posixpath.join(move.new, name))
    return move if move.old != "/" else Move(f"/{last}", posixpath.join(move.new, last))


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
