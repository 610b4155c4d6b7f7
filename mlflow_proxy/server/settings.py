"""Which stores MLflow opens, and what can be said about them before MLflow is imported."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlflow_proxy import file_store
from mlflow_proxy.passwords import mask_uri

from .errors import StartError

SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]+)(?:\?.*)?", re.DOTALL)
EXAMPLE = "sqlite:////home/me/mlflow.db or postgresql://user@host/database"


@dataclass(frozen=True)
class StoreSettings:
    """The stores, as `mlflow server` takes them."""

    backend_store_uri: str
    registry_store_uri: str
    default_artifact_root: str

    @classmethod
    def from_environment(cls) -> StoreSettings:
        """Read them from the variables that `mlflow server` reads, too."""
        return cls(
            os.environ["MLFLOW_BACKEND_STORE_URI"],
            os.environ["MLFLOW_REGISTRY_STORE_URI"],
            os.environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"],
        )

    def stores(self) -> list[tuple[str, str]]:
        """The settings that name a store, with its URI, each store once."""
        stores = [("backend_store_uri", self.backend_store_uri)]
        if self.registry_store_uri != self.backend_store_uri:
            stores.append(("registry_store_uri", self.registry_store_uri))
        return stores

    def check(self) -> None:
        """Find at once what MLflow would find after seconds of imports, or say less clearly.

        Raises:
            StartError: a store cannot be opened, or would hide another.
        """
        for name, uri in self.stores():
            check_store_uri(name, uri)
        # Only the default store: any other has been chosen, whatever lies beside it.
        if sqlite_path(self.backend_store_uri) == Path("mlflow.db").absolute():
            check_file_store_beside(Path("mlflow.db").absolute())


def check_store_uri(name: str, uri: str) -> None:
    """Check that `uri`, the setting `name`, can be a store.

    Raises:
        StartError: it cannot.
    """
    remedy = f"Set c.MLflowProxy.{name} in the Jupyter configuration, for example to {EXAMPLE}."
    shown = mask_uri(uri)
    try:
        scheme, authority = urlsplit(uri)[:2]
    except ValueError as error:
        raise StartError(f"The store URI {shown} cannot be read: {error}.", remedy) from None
    if scheme in ("http", "https"):
        raise StartError(
            f"The store, {shown}, is a tracking server with a dashboard of its own, "
            "which cannot be shown here yet.",
            "Open that address in the browser. Notebooks log to it all the same.",
        )
    if scheme.startswith("sqlite"):
        match = SQLITE.fullmatch(uri)
        if not match:
            raise StartError(f"The store URI {shown} names no database file.", remedy)
        check_folder_of(Path(match["path"]))
    elif "://" in uri and not scheme:
        raise StartError(f"The store URI {shown} has no scheme.", remedy)
    elif authority.count("@") > 1:  # what follows the first would be the host, and be shown
        raise StartError(f"The store URI {shown} cannot be read.", "Write %40 for @ in a password.")


def check_folder_of(database: Path) -> None:
    """Check that SQLite can keep `database`, and the journal beside it, in its folder.

    Raises:
        StartError: it cannot.
    """
    folder = database.absolute().parent
    remedy = (
        "Make the folder writable, or choose another place with c.MLflowProxy.backend_store_uri "
        "(and c.MLflowProxy.default_artifact_root)."
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if database.exists():
            with database.open("r+b"):
                pass
    except OSError as error:
        raise StartError(
            f"MLflow cannot keep its database {database}: {error.strerror}.", remedy
        ) from None


def check_file_store_beside(database: Path) -> None:
    """Check that a new `database` would not hide the runs that are in a file store beside it.

    Raises:
        StartError: it would.
    """
    folder = file_store.unmigrated(database)
    if folder and not file_store.is_allowed():
        command = [sys.executable, "-m", "mlflow", "migrate-filestore"]
        command += [f"--source={folder.parent}", f"--target=sqlite:///{database}"]
        raise StartError(
            f"The runs of this folder are in MLflow's former file store, {folder}, "
            f"which a new database would hide.",
            f"Migrate them, which leaves {folder.name} as it is, and try again: "
            f"{shlex.join(command)}\n"
            f"Or, to use the file store as it is, start Jupyter with {file_store.ALLOWED}=true "
            "in its environment.",
        )


def sqlite_path(uri: str) -> Path | None:
    """The database file of a `sqlite` URI; None for any other store, in memory included."""
    match = SQLITE.fullmatch(uri)
    if not match or match["path"] == ":memory:" or uri.startswith("sqlite:///file:"):
        return None
    return Path(match["path"]).absolute()
