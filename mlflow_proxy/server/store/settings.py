"""Which stores MLflow opens, and which of their errors show before MLflow is imported."""

import errno
import os
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlflow_proxy.passwords import mask_uri
from mlflow_proxy.server import failures
from mlflow_proxy.server.errors import COMMAND, StartError
from mlflow_proxy.shared import file_store, stores

from . import file_system, managed_services

FULL = (errno.ENOSPC, errno.EDQUOT)
EXAMPLE = "sqlite:////home/me/mlflow.db or postgresql://user@host/database"


@dataclass(frozen=True)
class StoreSettings:
    """The stores, as `mlflow server` takes them."""

    backend_store_uri: str
    registry_store_uri: str
    default_artifact_root: str
    artifacts_destination: str = ""
    """Where the artifacts are that only the server can reach; empty: in `default_artifact_root`."""

    @classmethod
    def from_environment(cls) -> "StoreSettings":
        """Read them from the variables that `mlflow server` reads as well."""
        return cls(
            os.environ["MLFLOW_BACKEND_STORE_URI"],
            os.environ["MLFLOW_REGISTRY_STORE_URI"],
            os.environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"],
            os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""),
        )

    @property
    def served_artifacts(self) -> str:
        """Folder or URI of the artifacts that clients reach through the server."""
        return self.artifacts_destination or self.default_artifact_root

    def stores(self) -> list[tuple[str, str]]:
        """Name of the setting and URI of each store."""
        result = [("backend_store_uri", self.backend_store_uri)]
        if self.registry_store_uri != self.backend_store_uri:
            result.append(("registry_store_uri", self.registry_store_uri))
        return result

    def servers(self) -> list[str]:
        """URI of each store that is on a database server."""
        return [uri for _, uri in self.stores() if stores.database_server(uri)]

    def check(self) -> None:
        """Find errors that MLflow would find after seconds of imports, and explain less clearly.

        Raises:
            StartError: a store cannot be opened, or would hide a file store.
        """
        for name, uri in self.stores():
            check_store_uri(name, uri)
        # Only the default store: any other was chosen by the user.
        if stores.is_default(self.backend_store_uri, Path.cwd()):
            check_file_store_beside(stores.default_database(Path.cwd()))


def shown(uri: str) -> str:
    """The database of `uri` as shown to a person, without its password."""
    return str(stores.sqlite_path(uri) or mask_uri(uri))


def check_store_uri(name: str, uri: str) -> None:
    """Check that `uri`, the setting `name`, can be a store.

    Raises:
        StartError: it cannot.
    """
    remedy = (
        f"Set c.MLflowProxy.{name}, or the variable that it comes from, for example to {EXAMPLE}."
    )
    shown = mask_uri(uri)
    try:
        scheme, authority = urlsplit(uri)[:2]
    except ValueError as error:
        raise StartError(f"The store URI {shown} cannot be read: {error}.", remedy) from None
    if stores.is_tracking_server(uri):  # as the other store, the process would not have come here
        raise StartError(
            f"The model registry, {shown}, is a tracking server, but the runs are kept elsewhere.",
            f"Set c.MLflowProxy.backend_store_uri to that server as well, or leave {name} unset.",
        )
    if stores.is_managed_service(uri):
        raise managed_services.explain(uri)
    if scheme.startswith("sqlite"):
        match = stores.SQLITE.fullmatch(uri)
        if not match:
            raise StartError(f"The store URI {shown} names no database file.", remedy)
        check_folder_of(Path(match["path"]), name)
    elif "://" in uri and not scheme:
        raise StartError(f"The store URI {shown} has no scheme.", remedy)
    elif authority.count("@") > 1:  # the part after the first would be shown, as the host
        raise StartError(f"The store URI {shown} cannot be read.", "Write %40 for @ in a password.")


def check_folder_of(database: Path, setting: str = "backend_store_uri") -> None:
    """Check that SQLite can write `database`, of `setting`, and the journal beside it.

    Raises:
        StartError: it cannot.
    """
    folder = file_system.folder_of(database)
    try:
        database.absolute().parent.mkdir(parents=True, exist_ok=True)
        file_system.probe(folder)
        if database.exists():
            with database.open("r+b"):
                pass
    except file_system.NoLocksError as error:
        raise StartError(
            f"The file system of {folder} cannot lock files ({error}), which SQLite needs.",
            f"Keep the database on a local disk: set c.MLflowProxy.{setting} in the Jupyter "
            "configuration, for example to sqlite:////local/disk/mlflow.db. "
            "Or use a database server, for example postgresql://user@host/database.",
        ) from None
    except (OSError, sqlite3.Error) as error:
        if not isinstance(error, OSError) or error.errno in FULL:
            raise failures.explain(error, str(database), setting) from None
        raise StartError(
            f"MLflow cannot keep its database {database}: {error.strerror}.",
            f"Make the folder writable, or choose another place with c.MLflowProxy.{setting} "
            "(and c.MLflowProxy.default_artifact_root).",
        ) from None


def check_file_store_beside(database: Path) -> None:
    """Check that a new `database` would not hide the runs of a file store beside it.

    Raises:
        StartError: it would.
    """
    folder = file_store.unmigrated(database)
    if folder and not file_store.is_allowed():
        command = file_store.migration_command(sys.executable, folder.parent, database)
        raise StartError(
            f"The runs of this folder are in MLflow's former file store, {folder}, "
            f"which a new database would hide.",
            f"Migrate them, which leaves {folder.name} as it is, and try again:{COMMAND}{command}\n"
            f"Or, to use the file store as it is, start Jupyter with {file_store.ALLOWED}=true "
            "in its environment.",
        )
