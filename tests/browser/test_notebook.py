"""Links and traces that a notebook displays, in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from support.browser import picture, run_cell
from support.lab import Lab

pytestmark = pytest.mark.browser

LOG_RUN = """
import mlflow
mlflow.set_experiment("linked <from> a notebook")
with mlflow.start_run(run_name="the <first>"):
    mlflow.log_param("depth", 3)
with mlflow.start_run(run_name="the <second>"):
    mlflow.log_metric("accuracy", 0.9)
"""
TRACE = """
import mlflow
mlflow.set_experiment("traced")

@mlflow.trace
def answer(question):
    return len(question)

answer("How long?")
"""


def test_a_cell_links_to_its_runs(lab: Lab, context: BrowserContext) -> None:
    page = run_cell(context, lab, LOG_RUN)
    link = page.get_by_role("link", name="the <second>")
    expect(link).to_be_visible()
    expect(page.get_by_role("link", name="the <first>")).to_be_visible()
    picture(page, "notebook-link")
    with context.expect_page() as opened:
        link.click()
    dashboard = opened.value
    expect(dashboard.get_by_role("heading", name="the <second>")).to_be_visible()
    assert re.search(r"/mlflow/#/experiments/\d+/runs/\w+", dashboard.url)
    expect(dashboard.get_by_role("link", name="Model registry")).to_be_visible()
    with context.expect_page() as opened:
        page.get_by_role("link", name="linked <from> a notebook").first.click()
    expect(opened.value.get_by_role("link", name="the <first>")).to_be_visible()
    picture(opened.value, "notebook-link-experiment")


def test_a_trace_is_shown_below_its_cell(lab: Lab, context: BrowserContext) -> None:
    page = run_cell(context, lab, TRACE)
    trace = page.frame_locator("iframe[title='MLflow trace']")
    expect(trace.get_by_text("How long?").first).to_be_visible()
    picture(page, "notebook-trace")
