"""The sidebar of JupyterLab, in Chromium."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from support.browser import picture, watch
from support.lab import TOKEN, Lab

pytestmark = pytest.mark.browser

MINUTE = 60_000  # milliseconds
HOSTILE = "<img src=x onerror=window.hacked=1>"
IDLE_TIMEOUT = 20  # seconds
REFRESH = 1  # second
PLUGIN = "jupyter-mlflow-proxy:plugin"


@pytest.fixture(scope="module")
def context(context: BrowserContext) -> BrowserContext:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


@pytest.fixture(scope="module")
def experiment(lab: Lab) -> str:
    """Name of an experiment with three finished runs."""
    name = f"seen <b>beside</b> {uuid.uuid4().hex}"
    add_runs(lab, name, ("first", 0.3), (HOSTILE, 0.2), ("third", 0.1))
    return name


def add_runs(lab: Lab, experiment: str, *runs: tuple[str, float]) -> list[str]:
    """Create runs in a new experiment, each with its last loss; returns their IDs."""
    number = lab.api("experiments/create", {"name": experiment})["experiment_id"]
    return [add_run(lab, number, name, loss) for name, loss in runs]


def add_run(lab: Lab, experiment: str, name: str, loss: float, status: str = "FINISHED") -> str:
    started = int(time.time() * 1000) - MINUTE
    body = {"experiment_id": experiment, "run_name": name, "start_time": started}
    run: str = lab.api("runs/create", body)["run"]["info"]["run_id"]
    losses = [
        {"key": "loss", "value": loss + 10 - step, "timestamp": started + step, "step": step}
        for step in range(11)
    ]
    params = [{"key": "depth", "value": HOSTILE}]
    tags = [{"key": "team", "value": "blue"}]
    lab.api("runs/log-batch", {"run_id": run, "metrics": losses, "params": params, "tags": tags})
    if status != "RUNNING":
        lab.api("runs/update", {"run_id": run, "status": status, "end_time": started + MINUTE})
    return run


def open_lab(context: BrowserContext, lab: Lab, path: str = "") -> tuple[Page, Locator]:
    """Open JupyterLab and its sidebar of MLflow."""
    page = context.new_page()
    page.goto(f"{lab.url}/lab{path}?token={TOKEN}&reset")
    page.get_by_role("tab", name="MLflow").click()
    return page, page.get_by_role("region", name="MLflow")


def run_in(panel: Locator, name: str) -> Locator:
    """The run that is shown with this name."""
    box = panel.page.get_by_role("checkbox", name=f"Select {name}")
    return panel.locator(".jp-mlflow-run:visible").filter(has=box)


def notebook(lab: Lab) -> str:
    """The path of a new notebook with one cell."""
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    metadata = {"kernelspec": {"display_name": "Python 3", "name": "python3"}}
    content = {"cells": [{**cell, "source": "1 + 1"}], "metadata": metadata, "nbformat": 4}
    name = f"{uuid.uuid4().hex}.ipynb"
    (lab.root / name).write_text(json.dumps({**content, "nbformat_minor": 5}))
    return f"/tree/{name}"


def cells(page: Page) -> Locator:
    return page.locator(".jp-Notebook .jp-CodeCell")


def test_a_run_is_looked_at_and_its_code_inserted(
    lab: Lab, context: BrowserContext, experiment: str
) -> None:
    page, panel = open_lab(context, lab, notebook(lab))
    troubles = watch(page)
    expect(panel.get_by_text(experiment)).to_be_visible()  # the newest one is open
    run = run_in(panel, HOSTILE)
    run.get_by_text(HOSTILE).click()
    expect(run.get_by_role("img", name="Finished")).to_be_visible()
    expect(run.get_by_role("row", name="Duration")).to_contain_text("1 min 0 s")
    expect(run.get_by_role("row", name="depth")).to_contain_text(HOSTILE)
    expect(run.get_by_role("row", name="team")).to_contain_text("blue")
    expect(run.get_by_role("img", name="From 10.2 to 0.2")).to_be_visible()
    assert page.evaluate("window.hacked") is None

    run.get_by_role("button", name="Copy run ID").click()
    run_id = page.evaluate("navigator.clipboard.readText()")
    assert (
        lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()["run"]["info"]["run_name"]
        == HOSTILE
    )
    run.get_by_role("button", name="Load run").click()
    expect(cells(page)).to_have_count(2)
    expect(cells(page).last).to_contain_text(f'mlflow.get_run("{run_id}")')
    picture(page, "sidebar-run")
    assert not troubles


def test_runs_are_found_and_compared(lab: Lab, context: BrowserContext, experiment: str) -> None:
    page, panel = open_lab(context, lab)
    box = panel.get_by_label("Filter runs")
    box.fill("metrics.loss <")
    box.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("Invalid")
    picture(page, "sidebar-bad-filter")
    box.fill("metrics.loss < 0.25 AND tags.team = 'blue'")
    box.press("Enter")
    expect(panel.get_by_role("alert")).to_be_empty()
    run_in(panel, "third").get_by_role("checkbox").check()
    run_in(panel, HOSTILE).get_by_role("checkbox").check()
    expect(run_in(panel, "first")).to_have_count(0)
    box.fill("")
    expect(run_in(panel, "first")).to_be_visible()
    expect(run_in(panel, "third").get_by_role("checkbox")).to_be_checked()
    panel.get_by_role("button", name="Compare selected runs (2)").click()
    dashboard = page.frame_locator("iframe[title='MLflow']")
    expect(dashboard.get_by_text("Comparing 2 Runs").first).to_be_visible()
    picture(page, "sidebar-compare")


def test_the_keyboard_is_enough(lab: Lab, context: BrowserContext, experiment: str) -> None:
    page, panel = open_lab(context, lab)
    expect(panel.get_by_text("third")).to_be_visible()
    panel.get_by_label("Filter runs").focus()

    def tab_to(target: Locator) -> None:
        for _ in range(30):
            if target.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {target}")

    tab_to(panel.get_by_label("Select third"))
    page.keyboard.press("Space")
    expect(panel.get_by_label("Select third")).to_be_checked()
    tab_to(run_in(panel, "third").locator("summary"))
    page.keyboard.press("Enter")
    tab_to(run_in(panel, "third").get_by_role("button", name="Copy run ID"))
    page.keyboard.press("Enter")
    expect(run_in(panel, "third").get_by_role("button", name="Run ID copied")).to_be_focused()


def test_a_registered_model_is_loaded_in_a_notebook(lab: Lab, context: BrowserContext) -> None:
    name = f"model {uuid.uuid4().hex}"
    (run,) = add_runs(lab, f"of {name}", ("trained", 0.1))
    lab.api("registered-models/create", {"name": name})
    version = {"name": name, "source": f"runs:/{run}/model", "run_id": run}
    lab.api("model-versions/create", version)
    lab.api("registered-models/alias", {"name": name, "alias": "champion", "version": "1"})
    page, panel = open_lab(context, lab)
    panel.get_by_text("Registered models", exact=True).click()
    panel.get_by_text(name, exact=True).click()
    insert = panel.get_by_role("button", name="Load @champion")
    expect(insert).to_be_disabled()
    expect(insert).to_have_attribute("title", "Open a notebook to insert code")
    page.close()

    page, panel = open_lab(context, lab, notebook(lab))
    panel.get_by_text("Registered models", exact=True).click()
    panel.get_by_text(name, exact=True).click()
    insert = panel.get_by_role("button", name="Load @champion")
    insert.click()
    expect(cells(page).last).to_contain_text(f'load_model("models:/{name}@champion")')
    picture(page, "sidebar-model")


def test_an_open_sidebar_neither_wakes_mlflow_nor_keeps_it_awake(
    start_lab: Callable[..., Lab], context: BrowserContext, new_database: Path
) -> None:
    config = f"c.MLflowProxy.idle_timeout = {IDLE_TIMEOUT}"
    lab = start_lab(config=config, program="lab", database=new_database)
    set_up(lab, refreshInterval=REFRESH)
    page, panel = open_lab(context, lab)
    start = panel.get_by_role("button", name="Start")
    expect(panel.get_by_text("MLflow was not started")).to_be_visible()
    picture(page, "sidebar-stopped")
    page.wait_for_timeout(3000 * REFRESH)
    assert not lab.mlflow_log.exists()

    start.click()
    expect(panel.get_by_text("Default", exact=True)).to_be_visible()
    run = add_run(lab, "0", "watched", 0.5, "RUNNING")
    watched = run_in(panel, "watched")
    watched.get_by_text("watched").click()
    watched.get_by_role("checkbox").check()
    metric = {"run_id": run, "key": "loss", "value": 0.25, "step": 11, "timestamp": 1 << 41}
    lab.api("runs/log-metric", metric)
    expect(watched.locator("summary")).to_contain_text("loss 0.25")
    expect(watched.get_by_role("img", name="From 10.5 to 0.25")).to_be_visible()
    expect(watched.get_by_role("img", name="Running")).to_be_visible()
    lab.api("runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1 << 41})
    expect(watched.get_by_role("img", name="Finished")).to_be_visible()

    sent: list[str] = []
    expect(start).to_be_visible()  # stopped, though the sidebar asks every second
    page.on("request", lambda request: sent.append(request.url))
    page.wait_for_timeout(4000 * REFRESH)
    assert not [url for url in sent if "ajax-api" in url]
    assert "without use" in lab.mlflow_log.read_text()
    picture(page, "sidebar-idle")
    start.click()
    expect(start).not_to_be_visible()
    expect(watched.get_by_role("checkbox")).to_be_checked()
    add_run(lab, "0", "after the stop", 0.5)
    expect(panel.get_by_text("after the stop")).to_be_visible()


def test_a_failure_is_explained_and_the_sidebar_can_be_hidden(
    start_lab: Callable[..., Lab], context: BrowserContext
) -> None:
    config = "c.MLflowProxy.backend_store_uri = 'nonsense://host/database'"
    lab = start_lab(config=config, program="lab")
    page, panel = open_lab(context, lab)
    panel.get_by_role("button", name="Start").click()
    expect(panel.get_by_text("Failed:")).to_contain_text("nonsense://host/database")
    expect(panel.get_by_role("button", name="Start")).to_be_visible()
    picture(page, "sidebar-failed")
    set_up(lab, sidebar=False)
    page.reload()
    expect(page.get_by_role("tab", name="File Browser")).to_be_visible()
    expect(page.get_by_role("tab", name="MLflow")).to_have_count(0)


def set_up(lab: Lab, **settings: Any) -> None:
    """Store settings of the user."""
    url = f"{lab.url}/lab/api/settings/{PLUGIN}"
    lab.session.put(url, json={"raw": json.dumps(settings)}, timeout=30).raise_for_status()
