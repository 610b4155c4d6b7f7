"""Jupyter, and with it a hub's idle culler, counts use of MLflow as activity."""

from __future__ import annotations

import pytest

from mlflow_proxy.shared.addresses import IDLE_HEADER, INPUT
from support.lab import PAGE, Lab

SEARCH = "/ajax-api/2.0/mlflow/experiments/search?max_results=10"


def last_activity(lab: Lab) -> str:
    """When Jupyter was last used, as it tells the hub."""
    return lab.session.get(f"{lab.url}/api/status", timeout=30).json()["last_activity"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", PAGE),
        (SEARCH, {}),
        (SEARCH, {IDLE_HEADER: "0.1"}),
        (INPUT, {IDLE_HEADER: "9"}),
    ],
    ids=["page", "client", "click", "scroll"],
)
def test_use_of_mlflow_is_activity(lab: Lab, path: str, headers: dict[str, str]) -> None:
    before = last_activity(lab)
    assert lab.get(path, headers=headers).ok
    assert last_activity(lab) > before


@pytest.mark.parametrize(
    ("path", "headers"),
    [(SEARCH, {IDLE_HEADER: "31.0"}), ("/_proxy/status", {}), ("/static-files/manifest.json", {})],
    ids=["refresh", "status", "file"],
)
def test_a_dashboard_that_is_left_open_is_no_activity(
    lab: Lab, path: str, headers: dict[str, str]
) -> None:
    before = last_activity(lab)
    assert lab.get(path, headers=headers).ok
    assert last_activity(lab) == before


def test_the_dashboards_page_comes_with_its_script(lab: Lab) -> None:
    page = lab.get("/", headers=PAGE)
    script, mlflows = page.text.index("X-MLflow-Proxy-Idle"), page.text.index(lab.mlflow_script[1:])
    assert script < mlflows
    assert len(page.content) == int(page.headers["Content-Length"])
    # A browser would keep a page with the script of another version.
    assert not {"ETag", "Last-Modified"} & set(page.headers)
    assert lab.get("/", headers={**PAGE, "If-None-Match": "*"}).status_code == 200
