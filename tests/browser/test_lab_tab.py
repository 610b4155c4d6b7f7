"""MLflow's dashboard in a tab of JupyterLab, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, expect

from mlflow_proxy.addresses import THEME_KEY
from support.browser import chromium, picture, run_cell
from support.dashboard import log_in
from support.lab import Lab, lab_server

pytestmark = pytest.mark.browser
LOG_RUN = """
import mlflow
mlflow.set_experiment("house prices")
with mlflow.start_run(run_name="forest"):
    mlflow.log_metric("loss", 1)
"""
TRACE = """
import mlflow
mlflow.set_experiment("traced")

@mlflow.trace
def answer(question):
    return len(question)

answer("How long?")
"""
SETTINGS = "/lab/api/settings/jupyter-mlflow-proxy:plugin"
DARK = re.compile("dark-mode")  # class of the dashboard's body
NO_STORE = "c.MLflowProxy.backend_store_uri = 'sqlite:////proc/mlflow.db'"
NO_FRAMES = """
c.ServerApp.tornado_settings = {"headers": {"Content-Security-Policy": "frame-ancestors 'none'"}}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def tab_lab(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Lab]:
    """A Lab whose tile opens inside JupyterLab."""
    config = "c.MLflowProxy.new_browser_tab = False"
    home = tmp_path_factory.mktemp("lab")
    with lab_server(home, config=config, program="lab", database=new_database) as lab:
        yield lab


@pytest.fixture
def context(tab_lab: Lab, browser: Browser) -> Iterator[BrowserContext]:
    """A context logged in to the Lab, in which no theme is chosen."""
    with log_in(browser, tab_lab) as context:
        yield context


def open_lab(context: BrowserContext, lab: Lab) -> Page:
    """JupyterLab with nothing but the launcher."""
    page = context.new_page()
    page.goto(f"{lab.url}/lab?reset")
    expect(tile(page)).to_be_visible()
    return page


def tile(page: Page) -> Locator:
    return page.locator(".jp-LauncherCard", has_text="MLflow")


def tabs(page: Page, name: str | re.Pattern[str] = "") -> Locator:
    """Tabs of the main area."""
    return page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text=name)


def frames(page: Page) -> Locator:
    return page.locator("iframe[title=MLflow]")


def dashboard(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title=MLflow]")


def call(page: Page, command: str) -> None:
    """Call a command from the palette."""
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill(command)
    label = page.locator(".lm-CommandPalette-itemLabel")
    label.get_by_text(command, exact=True).click()


def press(page: Page, button: str) -> None:
    page.locator(".jp-MainAreaWidget:not(.lm-mod-hidden) .jp-Toolbar").get_by_role(
        "button", name=button
    ).click()


def address(page: Page) -> str:
    """The address of the tab's page."""
    found: str = frames(page).evaluate("frame => frame.contentWindow.location.href")
    return found


def log_run(lab: Lab) -> str:
    """Log a run "forest" to a new experiment "house prices"; returns its path in the dashboard."""
    search = {"filter": "name = 'house prices'", "max_results": 1}
    found = lab.api("experiments/search", search).get("experiments")
    created = found[0] if found else lab.api("experiments/create", {"name": "house prices"})
    run = {"experiment_id": created["experiment_id"], "run_name": "forest", "start_time": 1}
    run_id = lab.api("runs/create", run)["run"]["info"]["run_id"]
    return f"#/experiments/{created['experiment_id']}/runs/{run_id}"


def test_the_tile_and_the_command_open_the_same_tab(tab_lab: Lab, context: BrowserContext) -> None:
    tab_lab.stop()
    page = open_lab(context, tab_lab)
    tile(page).click()
    expect(dashboard(page).get_by_role("progressbar")).to_be_visible()
    picture(page, "loading-inside-lab")
    expect(dashboard(page).get_by_role("link", name="Experiments").first).to_be_visible()
    expect(tabs(page)).to_have_count(1)  # in the launcher's place
    expect(tabs(page, "MLflow")).to_be_visible()
    page.keyboard.press("Control+Shift+L")
    expect(tile(page)).to_be_visible()
    tile(page).click()
    call(page, "Open MLflow")
    expect(frames(page)).to_have_count(1)
    picture(page, "lab-tab")


def test_the_tab_has_the_name_and_the_place_of_its_page(
    tab_lab: Lab, context: BrowserContext
) -> None:
    run = log_run(tab_lab)
    page = open_lab(context, tab_lab)
    tile(page).click()
    dashboard(page).get_by_role("link", name="house prices").first.click()
    expect(tabs(page, "house prices")).to_be_visible()
    dashboard(page).get_by_role("link", name="forest").first.click()
    expect(tabs(page, "forest")).to_be_visible()
    expect(dashboard(page).get_by_role("heading", name="forest")).to_be_visible()
    press(page, "Back")
    expect(tabs(page, "house prices")).to_be_visible()
    expect(dashboard(page).get_by_role("link", name="forest").first).to_be_visible()
    press(page, "Forward")
    expect(tabs(page, "forest")).to_be_visible()
    frames(page).evaluate("frame => { frame.contentWindow.isOld = true }")
    press(page, "Reload")
    page.wait_for_function("!document.querySelector('iframe[title=MLflow]').contentWindow.isOld")
    expect(dashboard(page).get_by_role("heading", name="forest")).to_be_visible()
    with context.expect_page() as opened:
        press(page, "Open in a New Browser Tab")
    assert run in opened.value.url

    page.goto(f"{tab_lab.url}/lab")
    expect(tabs(page, "forest")).to_be_visible()
    expect(dashboard(page).get_by_role("heading", name="forest")).to_be_visible()
    assert run in address(page)
    picture(page, "lab-tab-restored")


def test_the_tab_has_jupyterlabs_theme_until_another_is_chosen(
    tab_lab: Lab, context: BrowserContext
) -> None:
    context.new_page().goto(tab_lab.mlflow_url)
    stored = "key => localStorage.getItem(key)"
    expect(context.pages[0].get_by_role("link", name="Experiments").first).to_be_visible()
    assert context.pages[0].evaluate(stored, THEME_KEY) == "false"

    page = open_lab(context, tab_lab)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body[data-jp-theme-light=false]")).to_be_attached()
    tile(page).click()
    body = dashboard(page).locator("body")
    expect(body).to_have_class(DARK)
    picture(page, "lab-tab-dark")
    page.emulate_media(color_scheme="light")
    expect(body).not_to_have_class(DARK)
    page.emulate_media(color_scheme="dark")
    expect(body).to_have_class(DARK)

    dashboard(page).get_by_role("link", name="Settings").click()
    dashboard(page).get_by_role("switch").first.click()
    expect(body).not_to_have_class(DARK)
    press(page, "Reload")
    expect(dashboard(page).get_by_role("switch").first).to_be_visible()
    expect(body).not_to_have_class(DARK)
    assert context.pages[0].evaluate(stored, THEME_KEY) == "false"


def test_links_open_in_the_tab_where_the_user_wants_it(
    tab_lab: Lab, context: BrowserContext
) -> None:
    page = run_cell(context, tab_lab, LOG_RUN + TRACE)
    link = page.get_by_role("link", name="forest")
    link.click()  # as the tile, which opens inside JupyterLab
    expect(tabs(page, "forest")).to_be_visible()
    expect(dashboard(page).get_by_role("heading", name="forest")).to_be_visible()
    picture(page, "lab-tab-link")
    tabs(page, ".ipynb").click()
    frames(page).evaluate("frame => { frame.contentWindow.isOld = true }")
    with context.expect_page() as opened:
        link.click(modifiers=["Control"])
    assert "/mlflow/#/" in opened.value.url
    page.get_by_role("link", name="house prices").click()
    expect(tabs(page, "house prices")).to_be_visible()
    assert frames(page).evaluate("frame => frame.contentWindow.isOld")

    tabs(page, ".ipynb").click()
    trace = page.frame_locator("iframe[title='MLflow trace']")
    trace.get_by_role("link", name=re.compile("MLflow")).first.click()
    expect(tabs(page, "traced")).to_be_visible()

    tabs(page, ".ipynb").click()
    page.keyboard.press("Control+S")
    expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    wish = {"raw": '{"openLinks": "browser"}'}
    tab_lab.session.put(tab_lab.url + SETTINGS, json=wish).raise_for_status()
    page.reload()
    with context.expect_page() as opened:
        link.click()
    assert "/mlflow/#/" in opened.value.url


def test_notebook_has_no_tabs(tab_lab: Lab, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{tab_lab.url}/tree")
    expect(page.get_by_role("menuitem", name="New")).to_be_visible()
    with context.expect_page() as opened:
        call(page, "Open MLflow")
    assert opened.value.url.startswith(tab_lab.mlflow_url)


def test_a_failure_is_shown_in_the_tab(start_lab: Callable[..., Lab], browser: Browser) -> None:
    config = f"c.MLflowProxy.new_browser_tab = False\n{NO_STORE}"
    lab = start_lab(config=config, program="lab")
    with log_in(browser, lab) as context:
        page = open_lab(context, lab)
        tile(page).click()
        expect(dashboard(page).get_by_role("heading", name="could not start")).to_be_visible()
        expect(tabs(page, "MLflow could not start")).to_be_visible()
        picture(page, "lab-tab-failed")


def test_where_frames_are_forbidden_a_browser_tab_opens(
    start_lab: Callable[..., Lab], browser: Browser
) -> None:
    lab = start_lab(config=NO_FRAMES + NO_STORE, program="lab")
    with log_in(browser, lab) as context:
        page = open_lab(context, lab)
        for _ in range(2):
            with context.expect_page() as opened:
                call(page, "Open MLflow")
            assert opened.value.url.startswith(lab.mlflow_url)
            expect(frames(page)).to_have_count(0)
