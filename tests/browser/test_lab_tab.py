"""MLflow's dashboard in a tab of JupyterLab, in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, FrameLocator, Locator, Page, expect

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
HACK = "window.top.hacked = true"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><circle r="50"/>'
OUTPUT = f"<p>An output</p><script>{HACK}</script><img src=x onerror='{HACK}'>"
CELL = {
    "cell_type": "code",
    "execution_count": 1,
    "id": "a",
    "metadata": {"trusted": True},
    "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"text/html": OUTPUT}}],
    "source": "1",
}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
# A run's artifacts, and what JupyterLab shows of each: a selector, and a text in it.
ARTIFACTS = {
    "metrics.csv": ("a,b\n1,2\n", ".jp-CSVViewer", ""),
    "conf.json": ('{"depth": 3}', ".jp-RenderedJSON", "depth"),
    "README.md": ("# A title\n\n[page](page.html)", ".jp-MarkdownViewer h1", "A title"),
    "notes.txt": ("Grüße", ".jp-FileEditor", "Grüße"),
    "page.html": (f"<h1>A page</h1><script>{HACK}</script>", ".jp-FileEditor", "<h1>A page</h1>"),
    "drawing.svg": (
        f"{SVG}<script>{HACK}</script></svg>",
        ".jp-ImageViewer img[src^='data:image/svg']",
        "",
    ),
    "analysis.ipynb": (NOTEBOOK, ".jp-Notebook .jp-OutputArea", "An output"),
}
OPEN_ARTIFACTS = """run_id =>
    jupyterapp.commands.execute('mlflow-proxy:open-artifacts', { run_id, name: 'forest' })"""
GET = """([path, type, format]) =>
    jupyterapp.serviceManager.contents.get(path, { type, format })"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def tab_lab(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Lab]:
    """A Lab whose tile opens inside JupyterLab."""
    # The sidebar calls a command with an argument, which no menu has.
    config = "c.MLflowProxy.new_browser_tab = False\nc.LabApp.expose_app_in_browser = True"
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


def wait_until_saved(page: Page) -> None:
    """Wait until JupyterLab has saved its layout, which it does a while after a change."""
    with page.expect_response(lambda response: "/lab/api/workspaces/" in response.url):
        pass


def log_run(lab: Lab) -> str:
    """Log a run "forest" to a new experiment "house prices"; returns its path in the dashboard."""
    lab.wait_until("ready")
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
    page.emulate_media(color_scheme="dark")
    expect(dashboard(page).locator("body")).to_have_class(DARK)
    page.emulate_media(color_scheme="light")
    expect(dashboard(page).locator("body")).not_to_have_class(DARK)
    assert frames(page).evaluate("frame => frame.contentWindow.isOld")
    expect(tabs(page, "forest")).to_be_visible()
    press(page, "Reload")
    page.wait_for_function("!document.querySelector('iframe[title=MLflow]').contentWindow.isOld")
    expect(dashboard(page).get_by_role("heading", name="forest")).to_be_visible()
    with context.expect_page() as opened:
        press(page, "Open in a New Browser Tab")
    assert run in opened.value.url

    call(page, "Show MLflow's Log")
    expect(page.locator(".jp-mlflow-log")).to_contain_text("MLflow is ready")
    tabs(page, "forest").click()
    wait_until_saved(page)
    page.goto(f"{tab_lab.url}/lab")
    expect(tabs(page, "MLflow's Log")).to_be_visible()
    expect(tabs(page, "forest")).to_be_visible()
    expect(dashboard(page).get_by_role("heading", name="forest")).to_be_visible()
    assert run in address(page)
    picture(page, "lab-tab-restored")


def test_artifacts_open_in_jupyterlabs_viewers_and_run_nothing(
    tab_lab: Lab, context: BrowserContext
) -> None:
    run = log_run(tab_lab).rpartition("/")[2]
    listed = tab_lab.get(f"/ajax-api/2.0/mlflow/artifacts/list?run_id={run}").json()
    folder = Path(listed["root_uri"])
    for name, (text, *_) in ARTIFACTS.items():
        path = folder / "kinds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "model.bin").write_bytes(b"\xff\x00")
    page = open_lab(context, tab_lab)
    page.evaluate(OPEN_ARTIFACTS, run)
    tree = page.locator(".jp-mlflow-artifacts")
    tree.get_by_text("kinds").click()
    expect(tree.get_by_text("analysis.ipynb")).to_be_visible()
    picture(page, "lab-artifacts")
    for name, (_, selector, text) in ARTIFACTS.items():
        tabs(page, "Artifacts of forest").click()
        tree.get_by_text(name).click()
        expect(page.locator(f"{selector}:visible")).to_contain_text(text)
    picture(page, "lab-artifacts-notebook")

    # Links of stored texts, and addresses that a user types, do not open it as a page either.
    tabs(page, "README.md").click()
    page.get_by_role("link", name="page").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("source only")
    page.get_by_role("button", name="Close").click()
    for name in ("page.html", "drawing.svg"):
        with pytest.raises(Error, match="source only"):
            page.evaluate(GET, [f"MLflow:{run}/kinds/{name}", "file", "text"])
    notebook = page.evaluate(GET, [f"MLflow:{run}/kinds/analysis.ipynb", "notebook", "json"])
    assert notebook["content"]["cells"][0]["metadata"] == {"trusted": False}
    assert not notebook["writable"]
    with pytest.raises(Error, match="cannot be changed"):
        page.evaluate(
            "path => jupyterapp.serviceManager.contents.delete(path)", f"MLflow:{run}/kinds"
        )
    assert page.evaluate("window.hacked") is None

    tabs(page, "Artifacts of forest").click()
    tree.get_by_text("model.bin").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("It can be downloaded")
    page.get_by_role("button", name="Close").click()
    with page.expect_download() as download:
        tree.get_by_text("model.bin").click(button="right")
        page.get_by_role("menuitem", name="Download").click()
    assert download.value.path().read_bytes() == b"\xff\x00"
    wait_until_saved(page)
    page.goto(f"{tab_lab.url}/lab")
    expect(tree.get_by_text("model.bin")).to_be_visible()
    expect(tabs(page, "page.html (source)")).to_be_visible()


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
