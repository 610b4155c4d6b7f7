"""Make the pictures of docs/tutorial.md: `python tests/tutorial_screenshots.py`.

Takes a minute. Requires Chromium and the package with its extra `test`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import screenshots
from playwright.sync_api import BrowserContext, Page, expect
from screenshots import set_height, take

from support.browser import chromium, run_cell
from support.dashboard import Dashboard, log_in
from support.kernel import kernel
from support.lab import TOKEN, Lab, lab_server
from support.tutorial import Tutorial

PICTURES = screenshots.PROJECT / "docs" / "images"


def main() -> None:
    """Follow the tutorial in a Lab and take the pictures."""
    screenshots.PICTURES = PICTURES
    PICTURES.mkdir(exist_ok=True)
    first, *rest = Tutorial().cells
    with tempfile.TemporaryDirectory() as folder, lab_server(Path(folder), program="lab") as lab:
        lab.wait_until("ready")
        with chromium() as browser:
            take_cell(log_in(browser, lab), lab, first)
        with kernel(lab.url, TOKEN, "tutorial.ipynb") as run:
            run("import mlflow", *rest[:-1])
        with chromium() as browser:
            take_dashboard(log_in(browser, lab).new_page(), lab)


def take_cell(context: BrowserContext, lab: Lab, code: str) -> None:
    """The first cell, with the link to its run below, and that run."""
    page = run_cell(context, lab, code.strip(), "Untitled")
    page.set_viewport_size({"width": 1280, "height": 420})
    link = page.locator(".jp-OutputArea a").first
    expect(link).to_be_visible()
    take(page, "tutorial-cell")
    address = str(link.get_attribute("href"))
    page.close()
    run = context.new_page()
    run.goto(address if "://" in address else f"{lab.url}{address}")
    expect(run.get_by_text("accuracy").first).to_be_visible()
    close_notices(run)
    set_height(run, 740)
    # In place of MLflow's placeholders. The network is never idle: the page keeps a worker.
    expect(run.get_by_text("—", exact=True)).to_have_count(2)  # logged models, registered prompts
    expect(run.get_by_text("Child runs")).to_be_hidden()
    take(run, "tutorial-run")


def close_notices(page: Page) -> None:
    """Close MLflow's notices for new users."""
    for name in ("Close", "Got it"):
        for button in page.get_by_role("button", name=name, exact=True).all():
            button.click()


def take_dashboard(page: Page, lab: Lab) -> None:
    """The comparison, and the registered model."""
    dashboard = Dashboard(page, lab)
    runs = dashboard.open_runs("wine")
    set_height(page, 620)
    page.get_by_role("checkbox", name="Select all runs").check()
    dashboard.compare(len(runs))
    dashboard.choose_axes(["C"], ["accuracy"])
    take(page, "tutorial-compare")
    set_height(page, 480)
    dashboard.open("models")
    page.get_by_role("link", name="wine-cultivar", exact=True).click()
    expect(dashboard.main.get_by_role("status", name="champion")).to_be_visible()
    take(page, "tutorial-model")
    assert not dashboard.troubles, dashboard.troubles


if __name__ == "__main__":
    main()
