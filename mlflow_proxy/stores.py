"""What a store is: its URI is parsed once, into a type.

Jupyter, kernels and the MLflow process import this, so it imports nothing heavy.
"""

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from os.path import expanduser, normpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_proxy.printable import mask_uri

SQLITE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?:///)(?P<path>[^?]+)(?P<query>\?.*)?", re.DOTALL)
# What ends a path in a SQLite URI, or is read there as another character since SQLAlchemy 2.1.
UNCLEAR = re.compile(r"\?|%[0-9A-Fa-f]{2}")
LINK = "mlflow-proxy-path-"  # prefix of the name of a link to such a path
LINKED = re.compile(rf"/[^/?][^?]*?/{LINK}[0-9a-f]+")
# What MLflow takes for another character in the path of a location, or for its end, or escapes.
UNCLEAR_LOCATION = re.compile(r"[%?#\"\\\x00-\x1f]")
# A path of a file store that starts at the folder of the program that opens it.
RELATIVE_FOLDER = re.compile(r"(?P<scheme>file:)?(?P<path>(?!/)(?:[\w./-]+|[.~]\.?/.*))")
DATABASE_SERVERS = ("postgresql", "mysql", "mssql")  # that MLflow knows
# https://mlflow.org/docs/latest/api_reference/python_api/mlflow.html#mlflow.set_tracking_uri
SERVICES = {
    r"databricks(-uc)?(:.*)?": "Databricks",
    r"uc(:.*)?": "Unity Catalog",
    r"azureml://.*": "Azure Machine Learning",
    r"arn:aws:sagemaker:.*": "Amazon SageMaker",
}
DEFAULT_NAME = "mlflow.db"
"""Name of the default store, in Jupyter's root folder."""
SERVED_ARTIFACTS = "mlflow-artifacts:"
"""Scheme of artifacts that only MLflow's server can reach."""


@dataclass(frozen=True)
class Store:
    """A store of which only MLflow knows more, e.g. a file store; the base of all others."""

    uri: str

    @staticmethod
    def parse(uri: str) -> "Store":
        """The store of `uri`, as `normalize_uri` returns it."""
        if uri.lower().startswith(("http://", "https://")):
            return TrackingServer(uri)
        for pattern, service in SERVICES.items():
            if re.fullmatch(pattern, uri, re.DOTALL):
                return Managed(uri, service)
        return _parse(uri)

    @property
    def shown(self) -> str:
        """The store as shown to a person, without its password."""
        return mask_uri(self.uri)

    @property
    def is_remote(self) -> bool:
        """Whether it has a server of its own, which also decides about artifacts."""
        return isinstance(self, TrackingServer | Managed)


@dataclass(frozen=True)
class Database(Store):
    """A database: on a server of the kind `kind`, e.g. "mysql", or a `SQLite`."""

    kind: str


@dataclass(frozen=True)
class SQLite(Database):
    """The SQLite database in the file `path`."""

    path: Path

    @classmethod
    def at(cls, path: Path, links: Path) -> "SQLite":
        """The database at `path`; `links` is a private folder, see `clear_path`."""
        return cls(f"sqlite:///{clear_path(path, links)}", "sqlite", path)

    @property
    def shown(self) -> str:
        return str(self.path)

    @property
    def hidden_file_store(self) -> Path | None:
        """The file store beside it whose runs a new database would hide."""
        folder = self.path.parent / "mlruns"  # where older releases of MLflow created it
        # It may instead hold artifacts of a database's runs.
        experiments = (each for each in folder.glob("*/meta.yaml") if each.parent.name.isdigit())
        return folder if not self.path.exists() and any(experiments) else None


@dataclass(frozen=True)
class TrackingServer(Store):
    """A tracking server, with a dashboard of its own."""


@dataclass(frozen=True)
class Managed(Store):
    """A hosted MLflow, `service`, which only its own client can reach."""

    service: str


@dataclass(frozen=True)
class Invalid(Store):
    """No store: the URI `mistake`, e.g. "has no scheme", which continues "The store URI ..."."""

    mistake: str


def _parse(uri: str) -> Store:
    """The store of `uri`, which is not remote."""
    try:
        scheme, authority = urlsplit(uri)[:2]
    except ValueError as error:
        return Invalid(uri, f"cannot be read: {error}")
    if authority.count("@") > 1:  # the part after the first would be shown, as the host
        # Without that character: passwords are masked up to the last one in a text.
        return Invalid(uri, "cannot be read: write %40 for an at sign in a password")
    kind = scheme.partition("+")[0]
    if kind == "sqlite":
        if not (match := SQLITE.fullmatch(uri)):
            return Invalid(uri, "names no database file")
        if names_file(match["path"]):
            return SQLite(uri, kind, Path(without_links(match["path"])).absolute())
    if kind in DATABASE_SERVERS:
        return Database(uri, kind)
    return Invalid(uri, "has no scheme") if "://" in uri and not scheme else Store(uri)


def names_file(database: str) -> bool:
    """Whether `database` of a SQLite URI is a path; else it is in memory, or a URI of SQLite's."""
    return database != ":memory:" and not database.startswith("file:")


def clear_path(path: Path, links: Path) -> Path:
    """`path` as every SQLAlchemy reads it in a URI: if need be, through a link in `links`.

    There is no other way to write such a path for both SQLAlchemy 2.0 and 2.1.
    """
    unclear = [each for each in (path, *path.parents) if UNCLEAR.search(each.name)]
    if not unclear:
        return path
    link = links / (LINK + hashlib.sha256(os.fsencode(unclear[0])).hexdigest()[:16])
    with suppress(OSError):  # it exists
        links.mkdir(mode=0o700, parents=True, exist_ok=True)
        link.symlink_to(unclear[0])
    return link / path.relative_to(unclear[0]) if link.is_symlink() else path


def without_links(text: str) -> str:
    """`text`, a path or a URI, with the path that is meant by a link of `clear_path`."""
    link = LINKED.search(text)
    return text.replace(link[0], os.readlink(link[0])) if link and os.path.islink(link[0]) else text


def _meant(written: Path) -> Path:
    """The file that a URI names by a path in which SQLAlchemy since 2.1 decodes %XX.

    One that exists, else one whose folder exists.
    """
    decoded = Path(unquote(str(written)))
    is_decoded = decoded.parent.is_dir() or not written.parent.is_dir()
    return decoded if is_decoded and "\0" not in str(decoded) and not written.exists() else written


def folder_location(folder: Path) -> str:
    """`folder` as a location of artifacts: a URI if MLflow would read its path as another one."""
    return folder.as_uri() if UNCLEAR_LOCATION.search(str(folder)) else str(folder)


def normalize_uri(text: str | None, root_dir: Path, links: Path) -> str:
    """Strip quotes, resolve relative paths; "" if blank.

    Relative paths start at `root_dir`, because kernels run in other folders than MLflow. `links` is
    a private folder, see `clear_path`.
    """
    uri = (text or "").strip()
    if len(uri) > 1 and uri[0] in "\"'" and uri[0] == uri[-1]:  # an env file keeps them
        uri = uri[1:-1].strip()
    match = SQLITE.fullmatch(uri)
    if match and names_file(match["path"]):
        path = clear_path(_meant(root_dir / match["path"]), links)
        return f"{match['scheme']}{path}{match['query'] or ''}"
    match = RELATIVE_FOLDER.fullmatch(uri)
    if match and not isinstance(Store.parse(uri), Managed):
        folder = Path(normpath(root_dir / expanduser(match["path"])))
        return folder.as_uri() if match["scheme"] else folder_location(folder)
    return uri
