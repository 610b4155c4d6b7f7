"""Jupyter counts use of MLflow as activity, which a hub's idle culler reads."""

from __future__ import annotations

import pytest

from mlflow_proxy.addresses import IDLE_HEADER, INPUT
from support.lab import PAGE, Lab

pytestmark = pytest.mark.release
SEARCH = "/ajax-api/2.0/mlflow/experiments/search?max_results=10"


def last_activity(lab: Lab) -> str:
    """The time of last use that Jupyter reports to the hub."""
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
def test_use_of_mlflow_counts_as_activity(lab: Lab, path: str, headers: dict[str, str]) -> None:
    before = last_activity(lab)
    assert lab.get(path, headers=headers).ok
    assert last_activity(lab) > before


@pytest.mark.parametrize(
    ("path", "headers"),
    [(SEARCH, {IDLE_HEADER: "31.0"}), ("/_proxy/status", {}), ("/static-files/manifest.json", {})],
    ids=["refresh", "status", "file"],
)
def test_an_open_but_unused_dashboard_does_not_count_as_activity(
    lab: Lab, path: str, headers: dict[str, str]
) -> None:
    before = last_activity(lab)
    assert lab.get(path, headers=headers).ok
    assert last_activity(lab) == before


def test_the_dashboard_page_contains_the_idle_script(lab: Lab) -> None:
    page = lab.get("/", headers=PAGE)
    script, mlflows = page.text.index("X-MLflow-Proxy-Idle"), page.text.index(lab.mlflow_script[1:])
    assert script < mlflows
    assert len(page.content) == int(page.headers["Content-Length"])
    # Otherwise a browser would cache a page with the script of another version.
    assert not {"ETag", "Last-Modified"} & set(page.headers)
    assert lab.get("/", headers={**PAGE, "If-None-Match": "*"}).status_code == 200
