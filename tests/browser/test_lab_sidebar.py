"""The sidebar of JupyterLab, in Chromium."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Response, expect

from support.browser import picture, watch
from support.lab import TOKEN, Lab
from support.waiting import wait_for

pytestmark = pytest.mark.browser

MINUTE = 60_000  # milliseconds
HOSTILE = "<img src=x onerror=window.hacked=1>"
IDLE_TIMEOUT = 20  # seconds
REFRESH = 1  # second
FAR_FUTURE = 1 << 42  # milliseconds, in the year 2109
TRACE = re.compile("Trace answer, Finished, 2 s")
# What people type, and which of the runs "first" and "third" it finds.
FOUND = {
    "FIRST": ["first"],
    "loss > 0.25": ["first"],
    "params.depth != 3": ["first", "third"],
    "loss <= 1e-1 team": [],
    "loss < .15": ["third"],
    "status = finished and loss<0.15": ["third"],
}
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
    """The row of the run that is shown with this name."""
    box = panel.page.get_by_role("checkbox", name=f"Select {name}", exact=True)
    return panel.locator(".jp-mlflow-row:visible").filter(has=box)


def row_of(panel: Locator, name: str) -> Locator:
    """The row that has this name."""
    text = panel.page.get_by_text(name, exact=True)
    return panel.locator(".jp-mlflow-row:visible").filter(has=text)


def choose(row: Locator, item: str) -> None:
    """Choose an item of a row's context menu."""
    row.click(button="right")
    row.page.locator(".lm-Menu-item").filter(has_text=item).click()


def copied(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


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
    expect(row_of(panel, experiment)).to_be_visible()  # the one in use is open
    run = run_in(panel, HOSTILE)
    run.click()
    expect(run.get_by_role("img", name="Finished")).to_be_attached()
    details = panel.get_by_role("group", name="Run details")
    expect(details.get_by_role("row", name="Duration")).to_contain_text("1 min 0 s")
    expect(details.get_by_role("row", name="depth")).to_contain_text(HOSTILE)
    expect(details.get_by_role("row", name="team")).to_contain_text("blue")
    expect(details.get_by_role("img", name="From 10.2 to 0.2")).to_be_visible()
    assert page.evaluate("window.hacked") is None

    panel.get_by_role("button", name="Copy ID").click()
    run_id = copied(page)
    answer = lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()
    assert answer["run"]["info"]["run_name"] == HOSTILE
    toast = page.get_by_text("ID copied")
    expect(toast).to_be_visible()
    choose(run, "Copy URI")
    assert copied(page) == f"runs:/{run_id}"
    choose(row_of(panel, experiment), "Copy name")
    assert copied(page) == experiment
    run.focus()
    page.keyboard.press("Control+c")
    wait_for(lambda: copied(page) == run_id)

    expect(cells(page)).to_have_count(1)  # before the notebook is open, a notice says so
    run.hover()
    run.get_by_role("button", name="Insert code: load run").click()
    expect(cells(page)).to_have_count(2)
    expect(cells(page).last).to_contain_text(f'mlflow.get_run("{run_id}")')
    picture(page, "sidebar-run")
    expect(toast).to_have_count(0)
    assert not troubles


def test_runs_are_found_and_compared(lab: Lab, context: BrowserContext, experiment: str) -> None:
    page, panel = open_lab(context, lab, notebook(lab))
    box = panel.get_by_label("Search experiments and runs")
    runs = panel.locator(".jp-mlflow-row[data-kind=run]:visible")
    expect(run_in(panel, "first")).to_be_visible()
    for text, found in FOUND.items():
        box.fill(text)
        box.press("Enter")
        expect(run_in(panel, "first")).to_have_count(found.count("first"))
        expect(run_in(panel, "third")).to_have_count(found.count("third"))
        expect(panel.get_by_role("alert")).to_be_empty()
    box.fill("loss <")
    box.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("Try e.g. accuracy > 0.85")
    assert runs.count()  # the last ones found
    picture(page, "sidebar-bad-search")
    example = panel.get_by_role("alert").inner_text().partition("Try e.g. ")[2]
    box.fill(experiment[-32:])  # a word of the experiment's name
    box.press("Enter")
    expect(row_of(panel, experiment)).to_be_visible()
    expect(runs).to_have_count(0)

    box.fill(example)
    box.press("Enter")
    expect(panel.get_by_text("No runs")).to_be_visible()
    expect(panel.get_by_role("alert")).to_be_empty()
    box.fill("metrics.loss < 0.25 AND tags.team = 'blue'")
    box.press("Enter")
    expect(run_in(panel, "third")).to_contain_text("0.1")  # what is compared is shown
    run_in(panel, "third").get_by_role("checkbox").check()
    run_in(panel, HOSTILE).get_by_role("checkbox").check()
    expect(run_in(panel, "first")).to_have_count(0)
    box.fill("")
    expect(run_in(panel, "first")).to_be_visible()
    expect(run_in(panel, "third").get_by_role("checkbox")).to_be_checked()
    expect(panel.get_by_text("2 selected")).to_be_in_viewport()
    panel.get_by_role("button", name="Insert DataFrame").click()
    expect(cells(page).last).to_contain_text("mlflow.search_runs(")
    panel.get_by_role("button", name="Compare").click()
    dashboard = page.frame_locator("iframe[title='MLflow']")
    expect(dashboard.get_by_text("Comparing 2 Runs").first).to_be_visible()
    picture(page, "sidebar-compare")


def test_the_keyboard_is_enough(
    lab: Lab, context: BrowserContext, experiment: str, request: pytest.FixtureRequest
) -> None:
    set_up(lab, refreshInterval=REFRESH)  # no refresh takes the focus
    request.addfinalizer(lambda: set_up(lab))
    page, panel = open_lab(context, lab)
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()  # it takes the focus
    expect(run_in(panel, "third")).to_be_visible()
    panel.get_by_label("Search experiments and runs").focus()

    def press_until(key: str, target: Locator) -> None:
        for _ in range(30):
            if target.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press(key)
        pytest.fail(f"{key} does not reach {target}")

    press_until("Tab", panel.locator(".jp-mlflow-row:visible").first)
    press_until("ArrowDown", run_in(panel, "third"))
    page.keyboard.press("Space")
    expect(run_in(panel, "third").get_by_role("checkbox")).to_be_checked()
    add_run(lab, ids_of(lab, experiment)[0], "started meanwhile", 0.4)
    expect(run_in(panel, "started meanwhile")).to_be_visible()
    expect(run_in(panel, "third")).to_be_focused()
    page.keyboard.press("Enter")
    details = panel.get_by_role("group", name="Run details")
    expect(details.get_by_role("row", name="loss")).to_contain_text("0.1")
    page.keyboard.press("ArrowLeft")
    press_until("ArrowUp", row_of(panel, experiment))
    page.keyboard.press("ArrowLeft")
    expect(run_in(panel, "third")).to_have_count(0)


def test_a_registered_model_is_loaded_in_a_notebook(lab: Lab, context: BrowserContext) -> None:
    name = f"model {uuid.uuid4().hex}"
    (run,) = add_runs(lab, f"of {name}", ("trained", 0.1))
    lab.api("registered-models/create", {"name": name})
    version = {"name": name, "source": f"runs:/{run}/model", "run_id": run}
    lab.api("model-versions/create", version)
    lab.api("registered-models/alias", {"name": name, "alias": "champion", "version": "1"})
    page, panel = open_lab(context, lab)
    panel.get_by_text("Models", exact=True).click()
    row_of(panel, name).click()
    version_row = row_of(panel, "Version 1")
    expect(version_row).to_contain_text("@champion")
    version_row.hover()
    version_row.get_by_role("button", name="Insert code: load model").click()
    expect(page.get_by_text("Open a notebook to insert code")).to_be_visible()
    page.close()

    page, panel = open_lab(context, lab, notebook(lab))
    expect(cells(page)).to_have_count(1)
    panel.get_by_text("Models", exact=True).click()
    row_of(panel, name).click()
    version_row = row_of(panel, "Version 1")
    version_row.hover()
    version_row.get_by_role("button", name="Insert code: load model").click()
    expect(cells(page).last).to_contain_text(f'load_model("models:/{name}@champion")')
    choose(version_row, "serve model")
    expect(cells(page).last).to_contain_text("subprocess.Popen")
    choose(version_row, "Show source run")
    details = panel.get_by_role("group", name="Run details")
    expect(details.get_by_role("heading", name="trained")).to_be_visible()
    picture(page, "sidebar-model")


def fill_as_people_do(lab: Lab, used: str, empty: str, traced: str) -> None:
    """Make an experiment with nested runs and starts in the far future, empty and traced ones."""
    add_runs(lab, used, ("parent", 0.3), ("other", 0.1))
    (number,) = ids_of(lab, used)
    (parent,) = (r for r in runs_of(lab, number) if r["info"]["run_name"] == "parent")
    nested = [add_run(lab, number, f"nested {n}", 0.2) for n in range(3)]
    for run in nested:
        tag = {"key": "mlflow.parentRunId", "value": parent["info"]["run_id"]}
        lab.api("runs/set-tag", {"run_id": run, **tag})
    for start in (2**63 - 1, FAR_FUTURE):
        body = {"experiment_id": number, "run_name": f"at {start}", "start_time": start}
        lab.api("runs/create", body)
    many = [{"key": f"m{n:03}", "value": n, "timestamp": 1, "step": 0} for n in range(300)]
    lab.api("runs/log-batch", {"run_id": parent["info"]["run_id"], "metrics": many})
    for n in range(3):
        lab.api("experiments/create", {"name": f"{empty} {n}"})
    trace_into(lab, traced)


def test_a_store_as_people_have_it(lab: Lab, context: BrowserContext) -> None:
    """Nested runs, traces, empty experiments, and runs with a start in the far future."""
    used, empty, traced = (f"{name} {uuid.uuid4().hex}" for name in ("used", "empty", "traced"))
    fill_as_people_do(lab, used, empty, traced)
    page, panel = open_lab(context, lab)
    expect(page.locator(".jp-LauncherCard").first).to_be_visible()  # it takes the focus
    rows = panel.locator(".jp-mlflow-row[data-kind=experiment]")
    expect(row_of(panel, traced)).to_be_visible()
    order = rows.all_inner_texts()
    places = [next(i for i, text in enumerate(order) if name in text) for name in (used, empty)]
    assert places == sorted(places)
    if row_of(panel, traced).get_attribute("aria-expanded") == "false":
        row_of(panel, traced).click()
    expect(row_of(panel, "answer")).to_have_attribute("aria-label", TRACE)
    row_of(panel, traced).click()  # closed

    if row_of(panel, used).get_attribute("aria-expanded") == "false":
        row_of(panel, used).click()
    for start in (2**63 - 1, FAR_FUTURE):
        expect(run_in(panel, f"at {start}")).to_be_visible()
    expect(run_in(panel, "nested 0")).to_have_count(0)
    run_in(panel, "parent").focus()
    expect(run_in(panel, "parent")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(run_in(panel, "nested 0")).to_be_visible()
    picture(page, "sidebar-nested")

    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.post_data or ""))
    run_in(panel, "parent").click()
    details = panel.get_by_role("group", name="Run details")
    expect(details.get_by_role("row", name="m299")).to_be_attached()
    expect(details.get_by_role("img", name="From 10.3 to 0.3")).to_be_attached()
    charts = [body for body in requests if "MetricHistory" in body]
    assert len(charts) < 5  # those in view, not one for each metric

    row_of(panel, used).hover()
    row_of(panel, used).get_by_role("button", name="Sort runs").click()
    page.locator(".jp-Dialog select").select_option("loss, smallest first")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    best = panel.locator(".jp-mod-best")
    expect(best).to_have_text([re.compile("^other"), re.compile("^nested")])
    picture(page, "sidebar-sorted")

    # A reload keeps what is open and how it is sorted.
    (number,) = ids_of(lab, traced)
    with page.expect_response(lambda response: f"experiment {number}" in sent_by(response)):
        row_of(panel, traced).click()
    page.reload()
    for name in (used, traced):
        expect(row_of(panel, name)).to_have_attribute("aria-expanded", "true")
    expect(run_in(panel, "nested 0")).to_be_visible()
    expect(best.first).to_contain_text("other")
    page.close()


def ids_of(lab: Lab, experiment: str) -> list[str]:
    """The ID of an experiment, in a list."""
    named = {"experiment_name": experiment}
    answer = lab.get("/api/2.0/mlflow/experiments/get-by-name", params=named)
    return [answer.json()["experiment"]["experiment_id"]]


def sent_by(response: Response) -> str:
    """What was sent to get this response."""
    return response.request.post_data or ""


def runs_of(lab: Lab, experiment: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.api("runs/search", {"experiment_ids": [experiment]})["runs"]
    return found


def trace_into(lab: Lab, experiment: str) -> None:
    """Log one trace of 2 s into a new experiment."""
    number = lab.api("experiments/create", {"name": experiment})["experiment_id"]
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": number}}
    trace = {
        "trace_id": f"tr-{uuid.uuid4().hex}",
        "trace_location": location,
        "request_time": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "execution_duration": "2s",
        "state": "OK",
        "tags": {"mlflow.traceName": "answer"},
    }
    answer = lab.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": trace}})
    answer.raise_for_status()


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
    watched.click()
    watched.get_by_role("checkbox").check()
    details = panel.get_by_role("group", name="Run details")
    metric = {"run_id": run, "key": "loss", "value": 0.25, "step": 11, "timestamp": 1 << 41}
    lab.api("runs/log-metric", metric)
    expect(watched).to_have_attribute("aria-label", re.compile("Running, loss 0.25"))
    expect(details.get_by_role("img", name="From 10.5 to 0.25")).to_be_visible()
    ended = {"run_id": run, "status": "FINISHED", "end_time": int(time.time() * 1000)}
    lab.api("runs/update", ended)
    expect(watched).to_have_attribute("aria-label", re.compile("Finished"))
    expect(page.get_by_text("Run watched has finished")).to_be_visible()
    picture(page, "sidebar-ended")

    sent: list[str] = []
    expect(start).to_be_visible()  # stopped, though the sidebar asks every second
    page.on("request", lambda request: sent.append(request.url))
    page.wait_for_timeout(4000 * REFRESH)
    assert not [url for url in sent if "ajax-api" in url or "graphql" in url]
    assert "without use" in lab.mlflow_log.read_text()
    picture(page, "sidebar-idle")
    row_of(panel, "Default").click()  # the list stays; a click starts MLflow, and goes on
    row_of(panel, "Default").click()
    expect(watched).to_be_visible()
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
    picture(page, "sidebar-failed")
    panel.get_by_role("button", name="Show log").click()
    expect(page.locator(".jp-mlflow-log")).to_be_visible()
    set_up(lab, sidebar=False)
    page.reload()
    expect(page.get_by_role("tab", name="File Browser")).to_be_visible()
    expect(page.get_by_role("tab", name="MLflow", exact=True)).to_have_count(0)


def set_up(lab: Lab, **settings: Any) -> None:
    """Store settings of the user."""
    url = f"{lab.url}/lab/api/settings/{PLUGIN}"
    lab.session.put(url, json={"raw": json.dumps(settings)}, timeout=30).raise_for_status()
