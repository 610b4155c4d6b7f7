"""User journeys in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support.browser import PATIENCE, chromium, picture, run_cell
from support.databases import OLDER, make_database
from support.lab import TOKEN, Lab

pytestmark = pytest.mark.browser
StartLab = Callable[..., Lab]

TRAIN = """
import math, mlflow
mlflow.set_experiment("house prices")
for depth in (2, 3, 5, 8):
    with mlflow.start_run(run_name=f"forest depth {depth}"):
        mlflow.log_params({"max_depth": depth, "n_estimators": 100, "model": "forest"})
        for step in range(30):
            mlflow.log_metric("loss", math.exp(-step * depth / 40) + 0.02 * depth, step=step)
        mlflow.log_metrics({"rmse": 1 / depth + 0.03 * depth, "r2": 0.95 - 0.3 / depth})
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


def pictures(page: Page, name: str) -> None:
    """Take a screenshot in each colour scheme."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        picture(page, f"{name}-{scheme}")


def open_lab(context: BrowserContext, lab: Lab) -> Page:
    page = context.new_page()
    page.goto(f"{lab.url}/lab?token={TOKEN}")
    expect(tile(page)).to_be_visible()
    return page


def tile(page: Page) -> object:
    return page.locator(".jp-LauncherCard", has_text="MLflow")


def expect_dashboard(page: Page) -> None:
    expect(page.get_by_text("Experiments").first).to_be_visible()


def test_the_tile_opens_the_loading_page_and_then_the_dashboard(
    start_lab: StartLab, context: BrowserContext
) -> None:
    lab = start_lab(program="lab")
    launcher = open_lab(context, lab)
    pictures(launcher, "launcher")
    foreign: list[str] = []
    scripts: list[str] = []
    context.on("request", lambda r: r.url.startswith(lab.url) or foreign.append(r.url))
    context.on("requestfinished", lambda r: "/js/main." in r.url and scripts.append(r.url))
    with context.expect_page() as opened:
        tile(launcher).click()
    page = opened.value
    bar = page.get_by_role("progressbar")
    expect(bar).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-state", "starting")
    expect(bar).to_have_attribute("aria-valuenow", re.compile("[2-9][0-9]"))
    expect(page.get_by_role("status")).to_have_text("Loading MLflow")
    page.get_by_text("Log", exact=True).click()
    expect(page.locator("#log")).to_be_visible()
    page.get_by_text("Log", exact=True).click()
    pictures(page, "loading")
    expect_dashboard(page)
    assert page.url == f"{lab.mlflow_url}/"
    assert not [url for url in foreign if not url.startswith("data:")]
    assert len(scripts) == 2  # the loading page's frame, then the dashboard from cache
    transferred = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('/js/main.'))"
        ".map(e => e.transferSize)"
    )
    assert transferred == [0]
    # MLflow's Assistant waits to be opened: it did not open in the loading page's frame either.
    expect(page.get_by_role("button", name=re.compile("Assistant")).last).to_be_visible()
    expect(page.get_by_placeholder("Ask a question...")).to_have_count(0)

    # A deep link survives the loading page.
    lab.mlflow.kill()
    lab.wait_until("starting")
    deep = context.new_page()
    deep.goto(f"{lab.mlflow_url}/#/experiments/0")
    expect(deep.get_by_role("progressbar")).to_be_visible()
    expect(deep.get_by_text("Default").first).to_be_visible()
    assert "#/experiments/0" in deep.url


def test_a_run_of_a_notebook_cell_is_in_the_runs_table(lab: Lab, context: BrowserContext) -> None:
    page = run_cell(context, lab, TRAIN)
    expect(page.locator(".jp-InputPrompt", has_text="[1]:").first).to_be_visible()

    search = {"filter": "name = 'house prices'", "max_results": 1}
    experiment = lab.api("experiments/search", search)["experiments"][0]["experiment_id"]
    dashboard = context.new_page()
    dashboard.goto(f"{lab.mlflow_url}/#/experiments/{experiment}/runs")
    for depth in (2, 3, 5, 8):
        expect(dashboard.get_by_text(f"forest depth {depth}").first).to_be_visible()
    picture(dashboard, "runs")


def test_notebook_7_has_mlflow_in_its_new_menu(lab: Lab, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{lab.url}/tree?token={TOKEN}")
    page.get_by_text("New", exact=True).first.click()
    expect(page.get_by_role("menuitem", name="MLflow")).to_be_visible()
    picture(page, "notebook-new-menu")


def test_a_failed_start_is_explained_and_a_button_retries_it(
    start_lab: StartLab, context: BrowserContext
) -> None:
    lab = start_lab(config='c.MLflowProxy.backend_store_uri = "nonsense://host/database"')
    page = context.new_page()
    page.goto(f"{lab.mlflow_url}/?token={TOKEN}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("nonsense://host/database")
    pictures(page, "failed")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(alert).to_be_visible()


def test_a_button_upgrades_an_older_database(
    start_lab: StartLab, context: BrowserContext, tmp_path: Path
) -> None:
    database = tmp_path / "work" / "mlflow.db"
    database.parent.mkdir()
    make_database(f"sqlite:///{database}", OLDER)
    lab = start_lab()
    page = context.new_page()
    page.goto(f"{lab.mlflow_url}/?token={TOKEN}#/experiments/0")
    expect(page.get_by_role("alert")).to_contain_text(
        f"The database {database} was made by an older"
    )
    picture(page, "older")

    page.get_by_role("button", name="Upgrade database…").click()
    consent = page.get_by_role("dialog")
    copy = Path(f"{database}.{OLDER}.bak")
    expect(consent).to_contain_text(f"The database is copied first, to {copy}")
    picture(page, "upgrade")
    consent.get_by_role("button", name="Cancel").click()
    expect(consent).to_be_hidden()
    assert not copy.exists()

    page.get_by_role("button", name="Upgrade database…").click()
    consent.get_by_role("button", name="Upgrade database").click()
    expect(page.get_by_role("status")).to_have_text("Upgrading the database")
    expect(page.locator("#log")).to_contain_text("Running upgrade")
    picture(page, "upgrading")
    expect(page.get_by_text("Default").first).to_be_visible()
    assert "#/experiments/0" in page.url
    assert copy.exists()
