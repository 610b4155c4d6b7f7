"""What a store URI is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.shared import stores

ROOT = Path("/work")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////work/mlflow.db", "/work/mlflow.db"),
        ("sqlite+pysqlite:////work/mlflow.db", "/work/mlflow.db"),
        ("sqlite:////work/mlflow.db?timeout=20", "/work/mlflow.db"),
        ("sqlite:////work/of me@corp/mlflow.db", "/work/of me@corp/mlflow.db"),
        ("sqlite:///:memory:", None),
        ("sqlite://", None),
        ("sqlite:///file:/work/mlflow.db?uri=true", None),
        ("postgresql://host/db", None),
        ("https://host/mlflow.db", None),
        ("/work/mlruns", None),
        ("", None),
    ],
)
def test_the_path_of_a_database(uri: str, path: str | None) -> None:
    assert stores.sqlite_path(uri) == (Path(path) if path else None)


@pytest.mark.parametrize(
    ("uri", "is_default"),
    [
        ("sqlite:////work/mlflow.db", True),
        ("sqlite+pysqlite:////work/mlflow.db", True),
        ("sqlite:////work/other.db", False),
        ("sqlite:////work/sub/mlflow.db", False),
        ("postgresql://host/mlflow.db", False),
    ],
)
def test_the_default_store(uri: str, is_default: bool) -> None:
    assert stores.is_default(uri, ROOT) is is_default
    assert stores.is_default(stores.sqlite_uri(stores.default_database(ROOT)), ROOT)


@pytest.mark.parametrize(
    ("uri", "is_server", "is_service"),
    [
        ("http://host:5000", True, False),
        ("https://me@host/prefix", True, False),
        ("databricks", False, True),
        ("databricks://profile", False, True),
        ("databricks-uc", False, True),
        ("uc:https://host", False, True),
        ("azureml://region.api.azureml.ms/mlflow/v1.0", False, True),
        ("arn:aws:sagemaker:eu-central-1:1:mlflow-tracking-server/a", False, True),
        ("sqlite:////work/mlflow.db", False, False),
        ("postgresql://host/databricks", False, False),
        ("/work/databricks", False, False),
        ("databricksish", False, False),
    ],
)
def test_servers_and_managed_services(uri: str, is_server: bool, is_service: bool) -> None:
    assert stores.is_tracking_server(uri) is is_server
    assert stores.is_managed_service(uri) is is_service
    assert stores.has_server(uri) is (is_server or is_service)


@pytest.mark.parametrize(
    ("uri", "anchored"),
    [
        ("sqlite:///mlflow.db", "sqlite:////work/mlflow.db"),
        ("sqlite:////mlflow.db", "sqlite:////mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_a_relative_path_starts_at_the_root_folder(uri: str, anchored: str) -> None:
    assert stores.anchored(uri, ROOT) == anchored
