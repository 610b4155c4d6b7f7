"""Errors in a store's URI are reported before MLflow is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.store.settings import check_store
from mlflow_proxy.stores import Store


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://tracking.example", "is a tracking server, but the runs are kept elsewhere"),
        ("databricks", "kept by Databricks, which has a dashboard of its own"),
        ("sqlite://", "names no database file"),
        ("sqlite:/tmp/mlflow.db", "names no database file"),
        ("://host/db", "has no scheme"),
        ("postgresql://[::1/db", "cannot be read"),
        ("sqlite:////proc/no/mlflow.db", "cannot keep its database"),
    ],
)
def test_a_store_that_cannot_work_has_a_reason_and_a_remedy(uri: str, reason: str) -> None:
    with pytest.raises(StartError) as caught:
        check_store("backend_store_uri", Store.parse(uri))
    assert reason in caught.value.failure.reason
    assert caught.value.failure.remedy


def test_a_password_is_not_shown() -> None:
    with pytest.raises(StartError) as caught:
        check_store("backend_store_uri", Store.parse("https://me:hunter2@tracking.example"))
    assert "hunter2" not in str(caught.value)
    assert "me:***@tracking.example" in str(caught.value)


def test_a_database_that_is_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="is not a regular file"):
        check_store("backend_store_uri", Store.parse(f"sqlite:///{tmp_path}"))


def test_the_folder_of_a_database_is_created(tmp_path: Path) -> None:
    check_store("backend_store_uri", Store.parse(f"sqlite:///{tmp_path}/new/folder/mlflow.db"))
    assert (tmp_path / "new" / "folder").is_dir()
    assert not list((tmp_path / "new" / "folder").iterdir())
