"""The bounds of MLflow's connections: for database servers only, and never over the user's own."""

from __future__ import annotations

import os

import pytest

from mlflow_proxy.server import mlflow_app
from mlflow_proxy.server.store.settings import StoreSettings

SERVER = "postgresql://me@host/db"
FILE = "sqlite:////work/mlflow.db"


def variables(
    monkeypatch: pytest.MonkeyPatch, backend: str, registry: str, **set_: str
) -> dict[str, str]:
    """The environment after the bounds were set, if they were."""
    monkeypatch.setattr(os, "environ", dict(set_))
    mlflow_app.bound_pools(StoreSettings.parse(backend, registry, "/work"))
    return dict(os.environ)


@pytest.mark.parametrize("server", [SERVER, "mysql+pymysql://host/db", "mssql+pyodbc://host/db"])
def test_pools_of_servers_are_bounded(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    assert variables(monkeypatch, server, server) == mlflow_app.POOL_BOUNDS
    assert variables(monkeypatch, FILE, server) == mlflow_app.POOL_BOUNDS


def test_files_and_other_stores_have_no_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert variables(monkeypatch, FILE, FILE) == {}
    assert variables(monkeypatch, "file:///work/mlruns", "file:///work/mlruns") == {}


@pytest.mark.parametrize("name", [*mlflow_app.POOL_BOUNDS, mlflow_app.POOL_CLASS])
def test_a_bound_of_the_user_replaces_ours(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert variables(monkeypatch, SERVER, SERVER, **{name: "7"}) == {name: "7"}
