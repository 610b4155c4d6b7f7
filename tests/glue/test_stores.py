"""The kind of a store follows from its URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.stores import (
    Database,
    Invalid,
    Managed,
    SQLite,
    Store,
    TrackingServer,
    normalize_uri,
)

ROOT = Path("/work")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////work/mlflow.db", "/work/mlflow.db"),
        ("sqlite:////work/my runs/mlflow.db", "/work/my runs/mlflow.db"),
        ("sqlite:////work/mlflow.db?timeout=20", "/work/mlflow.db"),
        ("sqlite+pysqlite:////work/mlflow.db", "/work/mlflow.db"),
        ("sqlite:////work/a\nb.db", "/work/a\nb.db"),
        ("sqlite:////work/of me@corp/mlflow.db", "/work/of me@corp/mlflow.db"),
        ("sqlite:///mlflow.db", str(Path("mlflow.db").absolute())),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:/work/mlflow.db?uri=true", None),
        ("sqlite://", None),
        ("sqlite:///", None),
        ("sqlite:/work/mlflow.db", None),
        ("postgresql://host/sqlite:///db", None),
        ("mysql+pymysql://host/db", None),
        ("file:///work/mlruns", None),
        ("/work/mlruns", None),
        ("https://tracking.example/sqlite:///db", None),
        ("https://tracking.example/mlflow.db", None),
        ("", None),
    ],
)
def test_a_sqlite_uri_names_its_file(uri: str, path: str | None) -> None:
    store = Store.parse(uri)
    assert store.uri == uri
    assert (store.path if isinstance(store, SQLite) else None) == (Path(path) if path else None)


def test_a_file_survives_as_a_uri() -> None:
    assert SQLite.at(Path("/work/my runs/mlflow.db")).uri == "sqlite:////work/my runs/mlflow.db"
    assert Store.parse(SQLite.at(Path("/work/ä.db")).uri) == SQLite.at(Path("/work/ä.db"))


@pytest.mark.parametrize(
    ("uri", "is_default"),
    [
        ("sqlite:////work/mlflow.db", True),
        ("sqlite:////work/mlflow.db?timeout=20", True),
        ("sqlite+pysqlite:////work/mlflow.db", True),
        ("sqlite:////work/other.db", False),
        ("sqlite:////work/runs/mlflow.db", False),
        ("sqlite:////mlflow.db", False),
        ("sqlite:///:memory:", False),
        ("file:///work/mlflow.db", False),
        ("/work/mlflow.db", False),
        ("postgresql://host/db", False),
        ("postgresql://host/mlflow.db", False),
    ],
)
def test_the_default_store_is_the_database_in_the_root_folder(uri: str, is_default: bool) -> None:
    assert SQLite.default(ROOT).path == Path("/work/mlflow.db")
    assert SQLite.default(ROOT).is_default(ROOT)
    assert Store.parse(uri).is_default(ROOT) is is_default


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("http://tracking.example:5000", "tracking server"),
        ("https://me:secret@tracking.example/base", "tracking server"),
        ("databricks", "managed service"),
        ("databricks://profile", "managed service"),
        ("databricks://scope:key", "managed service"),
        ("databricks-uc", "managed service"),
        ("databricks-uc://profile", "managed service"),
        ("uc", "managed service"),
        ("uc:https://unity.example", "managed service"),
        ("azureml://westeurope.api.azureml.ms/mlflow/v1.0/x", "managed service"),
        ("arn:aws:sagemaker:eu-west-1:123:mlflow-tracking-server/x", "managed service"),
        ("databricksx", ""),
        ("postgresql://host/databricks", ""),
        ("databricks-other", ""),
        ("/work/databricks", ""),
        ("ucx", ""),
        ("azureml:x", ""),
        ("arn:aws:s3:::bucket", ""),
        ("httpx://host", ""),
        ("sqlite:////work/http://x", ""),
        ("sqlite:////work/mlflow.db", ""),
        ("postgresql://host/db", ""),
        ("file:///work/mlruns", ""),
        ("", ""),
    ],
)
def test_a_store_with_a_server_of_its_own_is_known_by_its_scheme(uri: str, kind: str) -> None:
    store = Store.parse(uri)
    assert isinstance(store, TrackingServer) is (kind == "tracking server")
    assert isinstance(store, Managed) is (kind == "managed service")
    assert store.is_remote is bool(kind)


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        (
            "postgresql+psycopg://me@host/db",
            Database("postgresql+psycopg://me@host/db", "postgresql"),
        ),
        ("mysql://host/db", Database("mysql://host/db", "mysql")),
        ("mssql+pyodbc://host/db", Database("mssql+pyodbc://host/db", "mssql")),
        ("/work/my runs", Store("/work/my runs")),
        ("file:///work/my%20runs", Store("file:///work/my%20runs")),
        ("sqlite://", Invalid("sqlite://", "names no database file")),
        ("://host/db", Invalid("://host/db", "has no scheme")),
        ("oracle://host/db", Store("oracle://host/db")),
        ("sqlite:///:memory:", Store("sqlite:///:memory:")),
    ],
)
def test_a_store_is_parsed_into_its_kind(uri: str, store: Store) -> None:
    assert Store.parse(uri) == store


def test_a_store_is_shown_without_its_password() -> None:
    uri = "postgresql://me:hunter2@host/db"
    assert Store.parse(uri).shown == "postgresql://me:***@host/db"
    assert Store.parse("sqlite:////work/a%20b.db?timeout=20").shown == "/work/a%20b.db"


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("sqlite:///mlflow.db", "sqlite:////work/mlflow.db"),
        (" sqlite:///mlflow.db\n", "sqlite:////work/mlflow.db"),
        ('"sqlite:///mlflow.db"', "sqlite:////work/mlflow.db"),
        ("sqlite:///runs/mlflow.db?timeout=20", "sqlite:////work/runs/mlflow.db?timeout=20"),
        ("sqlite+pysqlite:///mlflow.db", "sqlite+pysqlite:////work/mlflow.db"),
        ("sqlite:///../mlflow.db", "sqlite:////work/../mlflow.db"),
        ("sqlite:////absolute/mlflow.db", "sqlite:////absolute/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///file:mlflow.db?uri=true", "sqlite:///file:mlflow.db?uri=true"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///", "sqlite:///"),
        ("sqlite:mlflow.db", "sqlite:mlflow.db"),
        ("mlruns", "/work/mlruns"),
        ("./mlruns", "/work/mlruns"),
        ("./my runs/", "/work/my runs"),
        ("../mlruns", "/mlruns"),
        ("~/mlruns", str(Path("~/mlruns").expanduser())),
        ("/data/mlruns", "/data/mlruns"),
        ("file:mlruns", "file:///work/mlruns"),
        ("file:./mlruns", "file:///work/mlruns"),
        ("file:///data/mlruns", "file:///data/mlruns"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql//me:secret@host/db", "postgresql//me:secret@host/db"),
        ("https://tracking.example ", "https://tracking.example"),
        ("databricks", "databricks"),
        ("uc:https://unity.example", "uc:https://unity.example"),
        ("localhost:5000", "localhost:5000"),
        ("what is this", "what is this"),
        ("", ""),
        ("  \t", ""),
        ('""', ""),
        ('"', '"'),
        (None, ""),
    ],
)
def test_a_uri_is_normalized_from_what_people_write(written: str | None, normalized: str) -> None:
    assert normalize_uri(written, ROOT) == normalized
    assert normalize_uri(normalized, ROOT) == normalized
