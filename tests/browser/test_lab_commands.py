"""Commands, the Running panel and the settings form in JupyterLab, in Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support.browser import picture
from support.lab import TOKEN, Lab
from support.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.release]


def open_lab(context: BrowserContext, lab: Lab) -> Page:
    page = context.new_page()
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    expect(page.locator(".jp-LauncherCard").get_by_text("MLflow")).to_be_visible()
    return page


def state_of(lab: Lab) -> dict[str, Any]:
    return lab.get("/_proxy/control").json()


def run_command(page: Page, name: str) -> None:
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("MLflow")
    page.locator(f".lm-CommandPalette-item[data-command='mlflow:{name}']").click()


def test_mlflow_is_started_and_stopped_in_jupyterlab(
    start_lab: Callable[..., Lab], context: BrowserContext, new_database: Path
) -> None:
    lab = start_lab(program="lab", database=new_database)
    page = open_lab(context, lab)
    page.locator("[data-id=jp-running-sessions]").click()
    expect(page.locator("#jp-running-sessions")).to_be_visible()
    icon = page.locator("[data-icon='jupyter-mlflow-proxy:mlflow']")
    entry = page.locator(".jp-RunningSessions-item").filter(has=icon)
    expect(entry).to_have_count(0)  # the tile was not clicked

    run_command(page, "start")
    expect(entry).to_contain_text("Ready")
    expect(entry).to_contain_text(re.compile(r"\d+ MB"))
    picture(page, "lab-running")
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("Start MLflow")
    start = page.locator(".lm-CommandPalette-item[data-command='mlflow:start']")
    expect(start).to_have_class(re.compile("lm-mod-disabled"))  # it is ready
    page.keyboard.press("Escape")
    run_command(page, "show-sidebar")
    expect(page.get_by_role("region", name="MLflow")).to_be_visible()
    page.locator("[data-id=jp-running-sessions]").click()
    first = state_of(lab)["pid"]
    run_command(page, "restart")
    wait_for(lambda: state_of(lab)["state"] == "ready" and state_of(lab)["pid"] != first, 90)
    expect(entry).to_contain_text("Ready")

    entry.hover()
    entry.locator("[title=Stop]").click()
    expect(entry).to_contain_text("Stopped by the user")
    assert state_of(lab)["state"] == "idle"
    run_command(page, "show-log")
    expect(page.locator(".jp-mlflow-log")).to_contain_text("MLflow is ready")
    page.close()


def test_a_failure_is_told_in_the_running_panel(
    start_lab: Callable[..., Lab], context: BrowserContext
) -> None:
    config = "c.MLflowProxy.backend_store_uri = 'sqlite:////dev/null/mlflow.db'"
    lab = start_lab(config=config, program="lab")
    page = open_lab(context, lab)
    page.locator("[data-id=jp-running-sessions]").click()
    run_command(page, "start")
    entry = page.locator(".jp-RunningSessions-item").filter(has_text="Failed: ")
    expect(entry).to_be_visible()
    expect(entry.locator("[title*='/dev/null']")).to_be_visible()
    picture(page, "lab-running-failed")
    page.close()


@pytest.fixture
def disabled(lab: Lab) -> Iterator[None]:
    """Disable our extension of JupyterLab, whose pages each read this file."""
    page_config = lab.home / "config" / "labconfig" / "page_config.json"
    page_config.write_text(json.dumps({"disabledExtensions": {"jupyter-mlflow-proxy": True}}))
    yield
    page_config.unlink()


@pytest.mark.usefixtures("disabled")
def test_jupyterlab_works_with_the_extension_disabled(lab: Lab, context: BrowserContext) -> None:
    page = open_lab(context, lab)
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("MLflow")
    expect(page.get_by_text("Start MLflow")).to_have_count(0)
    page.keyboard.press("Escape")
    with context.expect_page() as opened:
        page.locator(".jp-LauncherCard").get_by_text("MLflow").click()
    expect(opened.value.get_by_role("link", name="Experiments").first).to_be_visible()
    opened.value.close()
    page.close()
