"""Requests that a user or a client causes count as use; a page's own refresh does not."""

from __future__ import annotations

import pytest

from mlflow_proxy.addresses import IDLE_HEADER
from mlflow_proxy.web.decide import Request

SEARCH = "/ajax-api/2.0/mlflow/runs/search"


def is_use(path: str, idle: str | None) -> bool:
    return Request("GET", path, {} if idle is None else {IDLE_HEADER: idle}).is_use


@pytest.mark.parametrize(
    ("path", "idle"),
    [("/", None), ("/api/2.0/mlflow/runs/search", None), (SEARCH, "0.0"), (SEARCH, "14.9")],
)
def test_a_request_of_a_page_a_client_or_a_user_is_use(path: str, idle: str | None) -> None:
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
def test_a_request_of_the_page_itself_is_not_use(path: str, idle: str | None) -> None:
    assert not is_use(path, idle)


@pytest.mark.parametrize("idle", ["", "-5", "nan", "nonsense", "1,2"])
def test_a_request_with_an_unreadable_header_is_use(idle: str) -> None:
    assert is_use(SEARCH, idle)
