"""The dashboard starts in the mode for model training, unless the user has chosen the other one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mlflow_proxy.addresses import MODE_KEY, THEME_KEY
from support.browser import chromium, picture
from support.dashboard import Dashboard, log_in
from support.lab import Lab, lab_server

pytestmark = pytest.mark.browser
DARK = "rgb(17, 23, 28)"
OF_GENAI = re.compile("^(Prompts|AI Registry)$")  # in the navigation; the second from 3.18


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def mode_lab(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Lab]:
    """A Lab whose store has what this file's tests log, in their order."""
    with lab_server(tmp_path_factory.mktemp("lab"), database=new_database) as lab:
        lab.wait_until("ready")
        yield lab


def log_run(lab: Lab, name: str) -> str:
    """Log a run with a metric to the experiment "house prices"; returns its id."""
    search = {"filter": "name = 'house prices'", "max_results": 1}
    found = lab.api("experiments/search", search).get("experiments")
    created = found[0] if found else lab.api("experiments/create", {"name": "house prices"})
    now = int(time.time() * 1000)
    run = {"experiment_id": created["experiment_id"], "run_name": name, "start_time": now}
    run_id: str = lab.api("runs/create", run)["run"]["info"]["run_id"]
    metric = {"run_id": run_id, "key": "loss", "value": 1, "timestamp": now, "step": 0}
    lab.api("runs/log-metric", metric)
    return run_id


def switch(page: Page, name: str) -> None:
    page.get_by_text(name, exact=True).first.click()


def expect_training(page: Page) -> None:
    """The navigation has an entry of this mode alone."""
    expect(page.get_by_role("link", name="Model registry")).to_be_visible()
    expect(page.get_by_role("link", name=OF_GENAI)).to_have_count(0)


def expect_genai(page: Page) -> None:
    expect(page.get_by_role("link", name=OF_GENAI).first).to_be_visible()
    expect(page.get_by_role("link", name="Model registry")).to_have_count(0)


def test_a_click_leads_to_model_training_and_a_choice_stays(
    mode_lab: Lab, browser: Browser
) -> None:
    context = log_in(browser, mode_lab)
    dashboard = Dashboard(context.new_page(), mode_lab)
    page = dashboard.page
    dashboard.open("")
    expect_training(page)
    run_id = log_run(mode_lab, "forest")
    page.reload()
    page.get_by_role("link", name="house prices").first.click()
    dashboard.expect_rows(["forest"])
    picture(page, "mode-training")
    assert page.evaluate("key => localStorage.getItem(key)", MODE_KEY) == '"machine_learning"'
    assert page.evaluate("Object.keys(localStorage)").count(MODE_KEY) == 0  # not stored

    dashboard.open("experiments")
    switch(page, "GenAI")
    expect_genai(page)
    page.reload()
    expect_genai(page)
    assert page.evaluate("Object.keys(localStorage)").count(MODE_KEY) == 1
    experiment = dashboard.experiment("house prices")
    page.goto("about:blank")
    dashboard.open(f"experiments/{experiment}/runs/{run_id}?workflowType=machine_learning")
    expect(page.get_by_role("heading", name="forest")).to_be_visible()
    expect_training(page)  # as the link below a cell has it
    context.close()


def test_the_page_is_dark_before_mlflow_has_drawn_it(mode_lab: Lab, browser: Browser) -> None:
    context = log_in(browser, mode_lab)
    page = Dashboard(context.new_page(), mode_lab).page
    background = "getComputedStyle(document.body).backgroundColor"
    page.route("**/static/js/main.*", lambda route: route.abort())
    page.goto(mode_lab.mlflow_url)
    assert page.evaluate(background) != DARK  # the browser's theme is light
    page.evaluate("key => localStorage.setItem(key, 'true')", THEME_KEY)
    page.reload()
    assert page.evaluate(background) == DARK
    page.unroute("**/static/js/main.*")
    page.reload()
    expect(page.locator("body.dark-mode")).to_be_attached()
    expect(page.locator("head style", has_text="!important")).to_have_count(0)
    context.close()
