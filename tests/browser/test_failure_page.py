"""An open failure page goes on to the dashboard once MLflow is back, without an input."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Request, expect

from mlflow_proxy.addresses import THEME_KEY
from support.browser import PATIENCE, chromium, picture
from support.lab import TOKEN, Lab
from support.tracking_server import tracking_server
from support.waiting import wait_for
from support.wire import wire_server

pytestmark = pytest.mark.browser
COME_BACK = "window.dispatchEvent(new Event('focus'))"
COLOURS = "(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))"
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
        page.evaluate(COME_BACK)
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.get_by_text("Default").first).to_be_visible()
        assert page.url.endswith("#/experiments/0") or "#/experiments/0/" in page.url


def test_a_server_that_goes_away_has_a_page_of_the_dashboards_theme(
    start_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        with wire_server() as server:  # stands in for one
            lab = start_lab(env={"MLFLOW_TRACKING_URI": server.url})
            lab.wait_until("ready")
        wait_for(lambda: lab.get(SEARCH).status_code == 502)
        browser = stack.enter_context(chromium())
        page = browser.new_page(color_scheme="dark")
        page.set_default_timeout(PATIENCE)
        page.goto(f"{lab.mlflow_url}/?token={TOKEN}")
        expect(page.get_by_role("alert")).to_contain_text("refuses the connection")
        expect(page).to_have_title("MLflow cannot be shown")
        assert "%23b3261e" in str(page.locator("link[rel=icon]").get_attribute("href"))
        assert page.evaluate(COLOURS) == ["rgb(17, 23, 28)", "rgb(255, 255, 255)"]
        page.evaluate("key => localStorage.setItem(key, 'false')", THEME_KEY)
        page.reload()
        assert page.evaluate(COLOURS) == ["rgba(0, 0, 0, 0)", "rgb(0, 0, 0)"]
        picture(page, "unreachable")
        with page.expect_navigation():
            page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="Try again")).to_be_enabled()
        stack.enter_context(tracking_server(tmp_path / "server", port=server.port))
        expect(page.get_by_role("alert")).to_be_hidden()
        expect(page.get_by_text("Experiments").first).to_be_visible()


def test_a_page_of_a_failure_asks_again_when_the_user_comes_back(
    start_lab: Callable[..., Lab],
) -> None:
    """A hub's proxy counts each request as activity."""
    lab = start_lab(config='c.MLflowProxy.backend_store_uri = "nonsense://host/database"')
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.clock.install()
        page.goto(f"{lab.mlflow_url}/?token={TOKEN}")
        expect(page.get_by_role("alert")).to_contain_text("nonsense://host/database")
        page.wait_for_load_state("networkidle")
        sent: list[Request] = []
        page.on("request", lambda request: sent.append(request))  # noqa: PLW0108
        for _ in range(10):
            page.clock.fast_forward(60_000)
            page.wait_for_timeout(30)
        assert not [request.url for request in sent]
        page.evaluate(COME_BACK)
        wait_for(lambda: page.wait_for_timeout(50) or sent)
