"""The kind of a store follows from its URI."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy

from mlflow_proxy.stores import (
    Database,
    Invalid,
    Managed,
    SQLite,
    Store,
    TrackingServer,
    folder_location,
    normalize_uri,
    without_links,
)

ROOT = Path("/work")
LINKS = Path("/run/links")  # which paths that are clear do not need


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
    spaced = SQLite.at(Path("/work/my runs/mlflow.db"), LINKS)
    assert spaced.uri == "sqlite:////work/my runs/mlflow.db"
    umlaut = SQLite.at(Path("/work/ä.db"), LINKS)
    assert Store.parse(umlaut.uri) == umlaut


@pytest.mark.release
@pytest.mark.parametrize(
    "name",
    [
        "My%20Project",
        "what?",
        "what?mode=ro",
        "100%25",
        "100%",
        'it\'s "x"',
        "back\\slash",
        "a#b",
        "{x}",
        "мой проект",
        "me@host:5",
        "%2e%2e",
    ],
)
def test_every_sqlalchemy_opens_the_file_that_is_meant(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / name / "a" / "mlflow.db", tmp_path / "b" / name):
        path.parent.mkdir(parents=True)
        store = SQLite.at(path, tmp_path)
        assert Store.parse(store.uri) == store
        assert without_links(store.uri) == f"sqlite:///{path}"
        assert normalize_uri(store.uri, ROOT, tmp_path) == store.uri
        engine = sqlalchemy.create_engine(store.uri)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE a (b)"))
            connection.execute(sqlalchemy.text("INSERT INTO a VALUES (1)"))
            journal = path.with_name(f"{path.name}-journal")
            assert journal.exists()
        engine.dispose()
        assert [*path.parent.iterdir()] == [path]


def test_a_link_is_made_only_for_what_is_unclear(tmp_path: Path) -> None:
    for name in ("100%", "a#b", 'it\'s "x"', "мой проект"):
        path = tmp_path / name / "mlflow.db"
        assert SQLite.at(path, tmp_path).uri == f"sqlite:///{path}"
    assert [*tmp_path.iterdir()] == []
    SQLite.at(tmp_path / "what?" / "mlflow.db", tmp_path)
    assert [each.readlink() for each in tmp_path.iterdir()] == [tmp_path / "what?"]


@pytest.mark.parametrize(
    ("existing", "meant"),
    [
        ((), "a b/x y.db"),
        (("a%20b/x%20y.db", "a b/x y.db"), "a%20b/x%20y.db"),
        (("a b/other", "a%20b/x%20y.db"), "a%20b/x%20y.db"),
        (("a b/x y.db",), "a b/x y.db"),
        (("a b/x y.db", "a%20b/other"), "a b/x y.db"),
        (("a%20b/other",), "a%20b/x%20y.db"),
    ],
)
def test_a_users_encoded_path_is_the_file_that_exists(
    tmp_path: Path, existing: tuple[str, ...], meant: str
) -> None:
    for name in existing:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for written in (f"sqlite:///{tmp_path}/a%20b/x%20y.db?timeout=9", "sqlite:///a%20b/x%20y.db"):
        uri = normalize_uri(written, tmp_path, tmp_path)
        store = Store.parse(uri)
        assert isinstance(store, SQLite)
        assert store.path == tmp_path / meant
        assert uri.endswith("?timeout=9") is written.endswith("?timeout=9")


def test_an_encoded_zero_is_part_of_no_path(tmp_path: Path) -> None:
    store = Store.parse(normalize_uri("sqlite:///a%00b.db", tmp_path, tmp_path))
    assert store == SQLite.at(tmp_path / "a%00b.db", tmp_path)


@pytest.mark.parametrize(
    ("folder", "location"),
    [
        ("/work/my runs/ä {x} it's", "/work/my runs/ä {x} it's"),
        ("/work/100%", "file:///work/100%25"),
        ("/work/My%20Project", "file:///work/My%2520Project"),
        ("/work/what?", "file:///work/what%3F"),
        ("/work/a#b", "file:///work/a%23b"),
        ('/work/"x"', "file:///work/%22x%22"),
        ("/work/back\\slash", "file:///work/back%5Cslash"),
    ],
)
def test_a_folder_of_artifacts_is_written_as_mlflow_reads_it(folder: str, location: str) -> None:
    assert folder_location(Path(folder)) == location


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
    assert Store.parse("sqlite:////work/a b.db?timeout=20").shown == "/work/a b.db"


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
        ("./what?/", "file:///work/what%3F"),
        ("sqlite:///x.db?mode=ro&uri=true", "sqlite:////work/x.db?mode=ro&uri=true"),
        ("sqlite:///~/x.db", "sqlite:////work/~/x.db"),  # as MLflow reads it
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
    assert normalize_uri(written, ROOT, LINKS) == normalized
    assert normalize_uri(normalized, ROOT, LINKS) == normalized
