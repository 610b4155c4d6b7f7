"""What a store URI is: a SQLite file, the default one, a tracking server, a managed service."""

import re
from os.path import expanduser, normpath
from pathlib import Path

SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]+)(?:\?.*)?", re.DOTALL)
RELATIVE_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:|file:)(.+)", re.DOTALL)
# A path of a file store that starts at the folder of the program that opens it.
RELATIVE_FOLDER = re.compile(r"(?P<scheme>file:)?(?P<path>(?!/)(?:[\w./-]+|[.~]\.?/.*))")
DATABASE_SERVERS = ("postgresql", "mysql", "mssql")  # that MLflow knows
SERVED_ARTIFACTS = "mlflow-artifacts:"
"""Scheme of artifacts that only MLflow's server can reach."""

# https://mlflow.org/docs/latest/api_reference/python_api/mlflow.html#mlflow.set_tracking_uri
MANAGED = re.compile(r"(databricks(-uc)?|uc)(:.*)?|azureml://.*|arn:aws:sagemaker:.*", re.DOTALL)


def default_database(root_dir: Path) -> Path:
    """The default store's file: `mlflow.db` in Jupyter's root folder."""
    return root_dir / "mlflow.db"


def sqlite_uri(database: Path) -> str:
    """The URI of the SQLite file `database`."""
    return f"sqlite:///{database}"


def sqlite_path(uri: str) -> Path | None:
    """The database file of a `sqlite` URI; None for any other store, in memory included."""
    match = SQLITE.fullmatch(uri)
    if not match or match["path"] == ":memory:" or uri.startswith("sqlite:///file:"):
        return None
    return Path(match["path"]).absolute()


def database_server(uri: str) -> str:
    """The kind of the database server of `uri`, e.g. "mysql"; empty for any other store."""
    kind = uri.partition(":")[0].partition("+")[0]
    return kind if kind in DATABASE_SERVERS else ""


def is_default(uri: str, root_dir: Path) -> bool:
    """Whether `uri` is the default store of this root folder."""
    return sqlite_path(uri) == default_database(root_dir)


def is_tracking_server(uri: str) -> bool:
    """Whether `uri` is the address of a tracking server, with a dashboard of its own."""
    return uri.lower().startswith(("http://", "https://"))


def is_managed_service(uri: str) -> bool:
    """Whether `uri` names a hosted MLflow, which only its own client can reach."""
    return MANAGED.fullmatch(uri) is not None


def decided(value: str | None, root_dir: Path) -> str:
    """What `value`, as people write a store's URI, means; empty if it means nothing.

    Relative paths start at `root_dir`, because kernels run in other folders than MLflow.
    """
    uri = (value or "").strip()
    if len(uri) > 1 and uri[0] in "\"'" and uri[0] == uri[-1]:  # an env file keeps them
        uri = uri[1:-1].strip()
    if match := RELATIVE_SQLITE.fullmatch(uri):
        return f"{match[1]}{root_dir / match[2]}"
    match = RELATIVE_FOLDER.fullmatch(uri)
    if match and not is_managed_service(uri):
        folder = Path(normpath(root_dir / expanduser(match["path"])))
        return folder.as_uri() if match["scheme"] else str(folder)
    return uri


def has_server(uri: str) -> bool:
    """Whether the store of `uri` has a server of its own, which also decides about artifacts."""
    return is_tracking_server(uri) or is_managed_service(uri)
