"""The kind of a store follows from its URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.shared import stores

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
    assert stores.sqlite_path(uri) == (Path(path) if path else None)


def test_a_file_survives_as_a_uri() -> None:
    assert stores.sqlite_uri(Path("/work/my runs/mlflow.db")) == "sqlite:////work/my runs/mlflow.db"
    assert stores.sqlite_path(stores.sqlite_uri(Path("/work/ä.db"))) == Path("/work/ä.db")


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
    assert stores.default_database(ROOT) == Path("/work/mlflow.db")
    assert stores.is_default(stores.sqlite_uri(stores.default_database(ROOT)), ROOT)
    assert stores.is_default(uri, ROOT) is is_default


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
    assert stores.is_tracking_server(uri) is (kind == "tracking server")
    assert stores.is_managed_service(uri) is (kind == "managed service")
    assert stores.has_server(uri) is bool(kind)


@pytest.mark.parametrize(
    ("written", "decided"),
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
def test_a_store_is_decided_from_what_people_write(written: str | None, decided: str) -> None:
    assert stores.decided(written, ROOT) == decided
    assert stores.decided(decided, ROOT) == decided
