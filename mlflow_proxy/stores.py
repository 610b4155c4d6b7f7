"""What a store is: its URI is parsed once, into a type.

Jupyter, kernels and the MLflow process import this, so it imports nothing heavy.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import expanduser, normpath
from pathlib import Path
from urllib.parse import urlsplit

from mlflow_proxy.passwords import mask_uri
from mlflow_proxy.quoting import quoted_argument

SQLITE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?:///)(?P<path>[^?]+)(?P<query>\?.*)?", re.DOTALL)
# A path of a file store that starts at the folder of the program that opens it.
RELATIVE_FOLDER = re.compile(r"(?P<scheme>file:)?(?P<path>(?!/)(?:[\w./-]+|[.~]\.?/.*))")
DATABASE_SERVERS = ("postgresql", "mysql", "mssql")  # that MLflow knows
# https://mlflow.org/docs/latest/api_reference/python_api/mlflow.html#mlflow.set_tracking_uri
SERVICES = {
    "Databricks": re.compile(r"databricks(-uc)?(:.*)?", re.DOTALL),
    "Unity Catalog": re.compile(r"uc(:.*)?", re.DOTALL),
    "Azure Machine Learning": re.compile(r"azureml://.*", re.DOTALL),
    "Amazon SageMaker": re.compile(r"arn:aws:sagemaker:.*", re.DOTALL),
}
SERVED_ARTIFACTS = "mlflow-artifacts:"
"""Scheme of artifacts that only MLflow's server can reach."""
ALLOW_FILE_STORE = "MLFLOW_ALLOW_FILE_STORE"  # MLflow >=3.13: refuses file stores without it


@dataclass(frozen=True)
class Store:
    """A store of which only MLflow knows more, e.g. a file store; the base of all others."""

    uri: str

    @staticmethod
    def parse(uri: str) -> "Store":
        """The store of `uri`, as `normalize_uri` returns it."""
        if uri.lower().startswith(("http://", "https://")):
            return TrackingServer(uri)
        for service, pattern in SERVICES.items():
            if pattern.fullmatch(uri):
                return Managed(uri, service)
        try:
            return _parse(uri)
        except ValueError as mistake:
            return Invalid(uri, str(mistake))

    @property
    def shown(self) -> str:
        """The store as shown to a person, without its password."""
        return mask_uri(self.uri)

    def is_default(self, root_dir: Path) -> bool:
        """Whether it is the default store of this root folder."""
        return isinstance(self, SQLite) and self.path == SQLite.default(root_dir).path

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
    def at(cls, path: Path) -> "SQLite":
        """The database at `path`."""
        return cls(f"sqlite:///{path}", "sqlite", path)

    @classmethod
    def default(cls, root_dir: Path) -> "SQLite":
        """The default store: `mlflow.db` in Jupyter's root folder."""
        return cls.at(root_dir / "mlflow.db")

    @property
    def shown(self) -> str:
        """The path."""
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
    """No store: the URI `mistake`, e.g. "has no scheme"."""

    mistake: str


def _parse(uri: str) -> Store:
    """The store of `uri`, which is not remote.

    Raises:
        ValueError: there is none; the message continues "The store URI ...".
    """
    try:
        scheme, authority = urlsplit(uri)[:2]
    except ValueError as error:
        raise ValueError(f"cannot be read: {error}") from None
    if authority.count("@") > 1:  # the part after the first would be shown, as the host
        raise ValueError("cannot be read: write %40 for @ in a password")
    kind = scheme.partition("+")[0]
    if kind == "sqlite":
        if not (match := SQLITE.fullmatch(uri)):
            raise ValueError("names no database file")
        if names_file(match["path"]):
            return SQLite(uri, kind, Path(match["path"]).absolute())
    if kind in DATABASE_SERVERS:
        return Database(uri, kind)
    if "://" in uri and not scheme:
        raise ValueError("has no scheme")
    return Store(uri)


def names_file(database: str) -> bool:
    """Whether `database` of a SQLite URI is a path; else it is in memory, or a URI of SQLite's."""
    return database != ":memory:" and not database.startswith("file:")


def normalize_uri(text: str | None, root_dir: Path) -> str:
    """Strip quotes, resolve relative paths; "" if blank.

    Relative paths start at `root_dir`, because kernels run in other folders than MLflow.
    """
    uri = (text or "").strip()
    if len(uri) > 1 and uri[0] in "\"'" and uri[0] == uri[-1]:  # an env file keeps them
        uri = uri[1:-1].strip()
    match = SQLITE.fullmatch(uri)
    if match and names_file(match["path"]):
        return f"{match['scheme']}{root_dir / match['path']}{match['query'] or ''}"
    match = RELATIVE_FOLDER.fullmatch(uri)
    if match and not isinstance(Store.parse(uri), Managed):
        folder = Path(normpath(root_dir / expanduser(match["path"])))
        return folder.as_uri() if match["scheme"] else str(folder)
    return uri


def allows_file_store(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `environment` allows MLflow to use a file store."""
    return environment.get(ALLOW_FILE_STORE, "").lower() in ("true", "1")


def migration_command(python: str, folder: Path, database: SQLite) -> str:
    """The command that copies the file store in `folder` into a new `database`."""
    command = [python, "-m", "mlflow", "migrate-filestore"]
    arguments = [*command, f"--source={folder}", f"--target={database.uri}"]
    return " ".join(map(quoted_argument, arguments))
