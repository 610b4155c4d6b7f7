"""Make the README's pictures of the example notebooks' runs: `python tests/screenshots.py`.

Takes two minutes. Requires Chromium and the package with its extras `examples` and `test`.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from support.browser import chromium
from support.dashboard import Dashboard, log_in
from support.kernel import run_notebook
from support.lab import TOKEN, Lab, lab_server

PROJECT = Path(__file__).parents[1]
PICTURES = PROJECT / ".images"
NOTEBOOKS = ["scikit-learn", "pytorch", "registry-and-deployment"]
TIMEOUT = 300.0  # seconds that a notebook may take


def main() -> None:
    """Run the notebooks in a Lab and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(PROJECT / "examples", home / "work", ignore=shutil.ignore_patterns(".*"))
        with lab_server(home, program="lab") as lab:
            for name in NOTEBOOKS:
                print(f"Running {name}")
                run_notebook(lab.url, TOKEN, lab.root / f"{name}.ipynb", TIMEOUT)
            lab.wait_until("ready")
            with chromium() as browser:
                context = log_in(browser, lab)
                take_all(context, lab)
                take_lab(context, lab)


def take_all(context: BrowserContext, lab: Lab) -> None:
    """Take the pictures."""
    page = context.new_page()
    take_launcher(page, lab)
    dashboard = Dashboard(page, lab)
    dashboard.open("")
    page.get_by_role("button", name="Model training").click()
    for each in (take_registry, take_runs, take_parameters):
        each(dashboard)
    assert not dashboard.troubles, dashboard.troubles


def take_launcher(page: Page, lab: Lab) -> None:
    """The tile, beside the notebooks."""
    page.goto(f"{lab.url}/lab")
    expect(page.locator(".jp-LauncherCard", has_text="MLflow")).to_be_visible()
    expect(page.get_by_text("scikit-learn.ipynb")).to_be_visible()
    take(page, "launcher")


def take_registry(dashboard: Dashboard) -> None:
    """The versions of a registered model."""
    set_height(dashboard.page, 520)
    dashboard.open("models")
    dashboard.page.get_by_role("link", name="wine-cultivar", exact=True).click()
    expect(dashboard.main.get_by_role("status", name="champion")).to_be_visible()
    take(dashboard.page, "registry")


def take_runs(dashboard: Dashboard) -> None:
    """The runs of the scikit-learn notebook with their metrics, the best first."""
    page = dashboard.page
    runs = dashboard.open_runs("scikit-learn")
    set_height(page, 800)  # for all the columns to choose from
    page.get_by_role("button", name="Columns").click()
    columns = page.get_by_role("dialog")
    for column in ("Dataset", "Source", "classifier", "accuracy", "f1_macro"):
        columns.get_by_text(column, exact=True).click()
    page.keyboard.press("Escape")
    expect(columns).to_be_hidden()
    set_height(page, 480)
    dashboard.sort("accuracy")
    dashboard.expect_rows([run.name for run in sorted(runs, key=lambda r: -r.metrics["accuracy"])])
    take(page, "runs")


def take_parameters(dashboard: Dashboard) -> None:
    """The runs of the PyTorch notebook compared: hyper-parameters and accuracy."""
    set_height(dashboard.page, 620)
    runs = dashboard.open_runs("pytorch")
    dashboard.page.get_by_role("checkbox", name="Select all runs").check()
    dashboard.compare(len(runs))
    dashboard.choose_axes(["channels", "learning_rate"], ["accuracy"])
    take(dashboard.page, "compare-parameters")


def take_lab(context: BrowserContext, lab: Lab) -> None:
    """A run in the sidebar, beside the curves of the same runs in a tab."""
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 720})
    page.goto(f"{lab.url}/lab?reset")
    expect(page.locator(".jp-LauncherCard", has_text="MLflow")).to_be_visible()
    page.locator("[data-id=jp-mlflow-sidebar]").click()
    experiments = page.locator(".jp-mlflow-row[data-kind=experiment]")
    experiment = experiments.filter(has_text="pytorch").first
    if experiment.get_attribute("aria-expanded") == "false":
        experiment.click()
    experiment.hover()
    experiment.get_by_role("button", name="Open in the dashboard").click()
    tab = page.frame_locator(".jp-mlflow-dashboard iframe")
    tab.get_by_role("main").get_by_role("radio").nth(1).locator("xpath=ancestor::label").click()
    expect(tab.locator(".js-line").first).to_be_attached()
    tab.get_by_role("button", name="Toggle sidebar").click()
    below = experiment.locator("xpath=..").locator(".jp-mlflow-row[data-kind=run]")
    below.first.click()
    expect(page.locator("#jp-mlflow-sidebar svg polyline").first).to_be_attached()
    take(page, "lab")


def set_height(page: Page, height: int) -> None:
    """Set the height of the window to that of the visible content."""
    page.set_viewport_size({"width": 1280, "height": height})


def take(page: Page, name: str) -> None:
    """Take a picture and store it with 256 colours, a third of its size."""
    page.mouse.click(0, 0)  # removes the focus
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    path = PICTURES / f"{name}.png"
    picture.quantize(256).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
