"""Which stores MLflow opens, and which of their errors show before MLflow is imported."""

import errno
import fcntl
import os
import tempfile
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_proxy import sqlite_files, stores
from mlflow_proxy.printable import quoted
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.stores import Database, SQLite, Store

if TYPE_CHECKING:
    import sqlalchemy

FULL = (errno.ENOSPC, errno.EDQUOT)
# MLflow's variables for MySQL over TLS, and what the drivers call them.
MYSQL_SSL = {
    "ssl_ca": "MLFLOW_MYSQL_SSL_CA",
    "ssl_cert": "MLFLOW_MYSQL_SSL_CERT",
    "ssl_key": "MLFLOW_MYSQL_SSL_KEY",
}
PROBE_TIMEOUT = 10.0  # seconds; a lock may wait for a server that does not answer
# The bytes that SQLite locks (https://sqlite.org/fileformat.html, 1.6).
LOCKED, LOCKED_SIZE = 0x40000000, 512
PAGES = bytes(1 << 16)
EXAMPLE = "sqlite:////home/me/mlflow.db or postgresql://user@host/database"


@dataclass(frozen=True)
class StoreSettings:
    """The stores, as `mlflow server` takes them."""

    backend_store: Store
    registry_store: Store
    default_artifact_root: str
    artifacts_destination: str = ""
    """Where the artifacts are that only the server can reach; empty: in `default_artifact_root`."""
    allow_upgrade: str = "auto"
    """`c.MLflowProxy.allow_upgrade`: "true", "false" or "auto"."""

    @classmethod
    def parse(cls, backend: str, registry: str, *artifacts: str) -> "StoreSettings":
        return cls(Store.parse(backend), Store.parse(registry), *artifacts)

    @classmethod
    def from_environment(cls) -> "StoreSettings":
        """Read them from the variables that `mlflow server` reads as well."""
        return cls.parse(
            os.environ["MLFLOW_BACKEND_STORE_URI"],
            os.environ["MLFLOW_REGISTRY_STORE_URI"],
            os.environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"],
            os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""),
        )

    @property
    def served_artifacts(self) -> str:
        """Folder or URI of the artifacts that clients reach through the server."""
        return self.artifacts_destination or self.default_artifact_root

    @property
    def stores(self) -> dict[str, Store]:
        """Each store, by the name of its setting."""
        result = {"backend_store_uri": self.backend_store}
        if self.registry_store != self.backend_store:
            result["registry_store_uri"] = self.registry_store
        return result

    @property
    def databases(self) -> dict[str, Database]:
        """Each store that is a database, by the name of its setting."""
        return {name: each for name, each in self.stores.items() if isinstance(each, Database)}

    @property
    def files(self) -> list[SQLite]:
        return [store for store in self.stores.values() if isinstance(store, SQLite)]

    @property
    def servers(self) -> list[Database]:
        return [store for store in self.databases.values() if not isinstance(store, SQLite)]

    def may_upgrade(self, database: Database) -> bool:
        """Whether the user may upgrade `database`; by default, only an own file."""
        if self.allow_upgrade != "auto":
            return self.allow_upgrade == "true"
        return isinstance(database, SQLite) and os.stat(database.path).st_uid == os.geteuid()

    def check(self) -> None:
        """Find errors that MLflow would find after seconds of imports, and explain less clearly.

        Raises:
            StartError: a store cannot be opened.
        """
        for name, store in self.stores.items():
            check_store(name, store)


def engine_of(store: Database) -> "sqlalchemy.Engine":
    """An engine that keeps no connections."""
    import sqlalchemy

    options: dict[str, Any] = {"poolclass": sqlalchemy.pool.NullPool, "hide_parameters": True}
    if isinstance(store, SQLite):
        # Not read-only, because a transaction of a killed program must be rolled back first.
        options["creator"] = lambda: sqlite_files.connect(store.path, "rw")
        return sqlalchemy.create_engine("sqlite://", **options)
    if store.kind == "mysql":
        tls = {name: os.environ[key] for name, key in MYSQL_SSL.items() if key in os.environ}
        options["connect_args"] = tls
    return sqlalchemy.create_engine(store.uri, **options)


def check_store(name: str, store: Store) -> None:
    """Check that `store`, the setting `name`, can be a store.

    Raises:
        StartError: it cannot.
    """
    match store:
        case SQLite():
            _check_folder_of(store.path, name)
        case stores.Invalid():
            raise StartError(
                f"The store URI {quoted(store.shown)} {store.mistake}.",
                f"Set c.MLflowProxy.{name}, or the variable that it comes from, "
                f"for example to {EXAMPLE}. Then restart Jupyter.",
            )
        case stores.Managed():
            raise StartError(
                f"The runs of {quoted(store.shown)} are kept by {store.service}, which has a "
                "dashboard of its own.",
                "Open it there. Notebooks log to it all the same.",
            )
        case stores.TrackingServer():  # as the other store, the process would not have come here
            raise StartError(
                f"The model registry, {quoted(store.shown)}, is a tracking server, but the runs "
                "are kept elsewhere.",
                f"Set c.MLflowProxy.backend_store_uri to that server as well, or leave {name} "
                "unset. Then restart Jupyter.",
            )


def _check_folder_of(database: Path, setting: str) -> None:
    """Check that SQLite can write `database`, of `setting`, and the journal beside it."""
    # SQLite writes where links lead.
    folder = Path(os.path.realpath(database)).parent
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        problem = sqlite_files.within(PROBE_TIMEOUT, lambda: _probe(folder))
        sqlite_files.check_file(database)
        if database.exists():
            os.close(os.open(database, os.O_RDWR | os.O_NONBLOCK))
    except futures.TimeoutError:
        problem = f"no answer within {PROBE_TIMEOUT:g} s"
    except sqlite_files.RefusedFileError as error:
        raise failures.explain(error, str(database), setting) from None
    except OSError as error:
        if error.errno in FULL:
            raise failures.explain(error, str(database), setting) from None
        raise StartError(
            f"MLflow cannot keep its database {quoted(database)}: {error.strerror}.",
            f"Make the folder writable. Or choose another place with c.MLflowProxy.{setting} (and "
            "c.MLflowProxy.default_artifact_root), and restart Jupyter.",
        ) from None
    if problem:
        raise StartError(
            f"The file system of {quoted(folder)} cannot lock files ({problem}), as SQLite needs.",
            f"Keep the database on a local disk: set c.MLflowProxy.{setting} in the Jupyter "
            "configuration, for example to sqlite:////local/disk/mlflow.db. "
            "Or use a database server, for example postgresql://user@host/database. Then restart "
            "Jupyter.",
        )


def _probe(folder: Path) -> str:
    """Do in `folder`, in a file without a name, what SQLite does; returns why it cannot be locked.

    SQLite's own error would be that of a busy database or a bad disk, or come after two minutes.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCKED_SIZE, LOCKED)
        except OSError as error:
            return str(error.strerror)
        file.write(PAGES)
    return ""
