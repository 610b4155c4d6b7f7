"""What is use, and what is a page's own refresh."""

from __future__ import annotations

import pytest
from jupyter_server_proxy.config import ServerProcess
from traitlets import Union

import mlflow_proxy
from mlflow_proxy.shared.activity import is_use

SEARCH = "/ajax-api/2.0/mlflow/runs/search"


@pytest.mark.parametrize(
    ("path", "idle"),
    [("/", None), ("/api/2.0/mlflow/runs/search", None), (SEARCH, "0.0"), (SEARCH, "14.9")],
)
def test_pages_clients_and_a_persons_actions_are_use(path: str, idle: str | None) -> None:
    assert is_use(path, idle)


@pytest.mark.parametrize(
    ("path", "idle"),
    [
        (SEARCH, "15.1"),
        (SEARCH, "1e9"),
        (SEARCH, "inf"),
        ("/_proxy/status", None),
        ("/static-files/static/js/main.js", None),
        ("/ajax-api/3.0/mlflow/ui-telemetry", None),
    ],
)
def test_a_pages_own_requests_are_not(path: str, idle: str | None) -> None:
    assert not is_use(path, idle)


@pytest.mark.parametrize("idle", ["", "-5", "nan", "nonsense", "1,2"])
def test_what_cannot_be_read_is_use(idle: str) -> None:
    assert is_use(SEARCH, idle)


def test_jupyter_server_proxy_asks_where_it_can() -> None:
    can = isinstance(ServerProcess.class_traits()["update_last_activity"], Union)
    entry = mlflow_proxy.setup_mlflow()
    assert ("update_last_activity" in entry) is can
    ServerProcess(name="mlflow", **entry)
