"""An open failure page goes on to the dashboard once MLflow is back, without an input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from support.browser import PATIENCE, chromium
from support.lab import TOKEN, Lab
from support.waiting import wait_for

pytestmark = pytest.mark.browser
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=9"


def test_an_open_page_notices_that_a_program_has_started_mlflow(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    database = tmp_path / "work" / "mlflow.db"
    database.parent.mkdir()
    database.write_bytes(b"not a database" * 100)
    lab = start_lab()
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{lab.mlflow_url}/?token={TOKEN}#/experiments/0")
        expect(page.get_by_role("alert")).to_contain_text("is not a SQLite database")
        database.unlink()
        wait_for(lambda: lab.get(SEARCH).status_code == 200, 60)
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.get_by_text("Default").first).to_be_visible()
        assert page.url.endswith("#/experiments/0") or "#/experiments/0/" in page.url


def test_an_open_page_stops_asking_after_ten_minutes(start_lab: Callable[..., Lab]) -> None:
    """A hub's proxy counts each request as activity."""
    lab = start_lab(config='c.MLflowProxy.backend_store_uri = "nonsense://host/database"')
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.clock.install()
        page.goto(f"{lab.mlflow_url}/?token={TOKEN}")
        expect(page.get_by_role("alert")).to_contain_text("nonsense://host/database")
        sent: list[Request] = []
        page.on("request", lambda request: sent.append(request))  # noqa: PLW0108
        forward(page, 9)
        assert 5 <= len(sent) <= 70
        forward(page, 2)
        sent.clear()
        forward(page, 10)
        assert not [request.url for request in sent]
        page.evaluate("window.dispatchEvent(new Event('focus'))")
        wait_for(lambda: page.wait_for_timeout(50) or sent)


def forward(page: Page, minutes: int) -> None:
    """Let `minutes` pass, with time for the answer of each request."""
    for _ in range(minutes * 6):
        page.clock.fast_forward(10_000)
        page.wait_for_timeout(30)
