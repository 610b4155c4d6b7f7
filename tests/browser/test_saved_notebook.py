"""A saved notebook with traces is opened when MLflow is stopped; the links of a trace."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from mlflow_proxy.addresses import CONTROL, DASHBOARD_FRAME, STATUS, TRACE_PAGE
from support.browser import picture, watch
from support.kernel import run_cells
from support.lab import TOKEN, Lab, lab_server
from support.processes import BIN
from support.upstream import upstream_config
from support.waiting import wait_for

pytestmark = pytest.mark.browser
HANGS = Path(__file__).parents[1] / "resources" / "mlflow_processes" / "hang.py"
IDLE_TIMEOUT = 20  # seconds; longer than the notebook takes to show its traces
FRAMES = 10
NAME = "saved.ipynb"
TRACE = """
@mlflow.trace
def answer(question):
    return len(question)

answer("How long?")
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with a saved notebook of ten traces, below a base URL."""
    config = f"c.MLflowProxy.idle_timeout = {IDLE_TIMEOUT}"
    home = tmp_path_factory.mktemp("lab")
    with lab_server(home, config=config, base_url="/team/lab/", program="lab") as server:
        server.wait_until("ready")
        save_notebook(server)
        yield server


def save_notebook(lab: Lab) -> None:
    """Write a trusted notebook with the output of ten cells, each of which made a trace."""
    imports = "import mlflow; mlflow.set_experiment('traced')"
    _, *traced = run_cells(lab.url, TOKEN, NAME, [imports, *[TRACE] * FRAMES], 100)
    cell = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "source": TRACE}
    display = {"output_type": "display_data", "metadata": {}}
    outputs = [{**display, "data": {"text/html": each.html}} for each in traced]
    notebook = {
        "cells": [{**cell, "outputs": outputs}],
        "metadata": {"kernelspec": {"display_name": "Python 3", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = lab.root / NAME
    path.write_text(json.dumps(notebook))
    subprocess.run([BIN / "jupyter-trust", path], env=lab.env, check=True, timeout=60)


def open_notebook(lab: Lab, page: Page) -> None:
    """Open the saved notebook in JupyterLab."""
    page.goto(f"{lab.url}/lab/tree/{NAME}?token={TOKEN}&reset")
    expect(page.locator(f"iframe[src*='{TRACE_PAGE}']")).to_have_count(FRAMES)


def test_ten_traces_of_a_saved_notebook_wait_quietly_until_mlflow_is_ready(
    lab: Lab, context: BrowserContext
) -> None:
    wait_for(lambda: lab.status()["state"] == "idle", 90)
    page = context.new_page()
    troubles = watch(page)
    answers: list[Response] = []
    prefix = urlsplit(lab.mlflow_url).path
    page.on("response", lambda r: urlsplit(r.url).path.startswith(prefix) and answers.append(r))
    began = time.monotonic()
    open_notebook(lab, page)
    frames = page.frame_locator(f"iframe[src*='{TRACE_PAGE}']")
    waiting = frames.first.get_by_role("progressbar")
    expect(waiting).to_be_visible()
    expect(frames.nth(1).get_by_role("progressbar")).to_be_visible()
    assert frames.first.locator("html").evaluate("html => html.scrollHeight <= innerHeight")
    picture(page, "saved-notebook-waiting")
    before = Counter(urlsplit(each.url).path.removeprefix(prefix) for each in list(answers))
    elements = page.locator(f"iframe[src*='{TRACE_PAGE}']")
    for index in range(FRAMES):  # a frame out of sight is loaded once it is near
        elements.nth(index).scroll_into_view_if_needed()
        expect(frames.nth(index).get_by_text("How long?").first).to_be_visible()
    picture(page, "saved-notebook")

    assert set(before) <= {TRACE_PAGE, STATUS, CONTROL}  # JupyterLab asks once for MLflow's state
    paths = Counter(urlsplit(each.url).path.removeprefix(prefix) for each in answers)
    assert DASHBOARD_FRAME not in paths
    assert not [path for path in paths if "/static/js/main." in path]
    assert FRAMES < paths[TRACE_PAGE] <= 2 * FRAMES  # for those in sight: waiting, then the trace
    assert not [(each.status, each.url) for each in answers if each.status >= 400]
    assert not troubles
    assert paths[STATUS] <= FRAMES * (time.monotonic() - began)  # one a second
    page.close()


@pytest.fixture(scope="module")
def hanging_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Jupyter server whose MLflow never gets ready."""
    home = tmp_path_factory.mktemp("hanging")
    with lab_server(home, config=upstream_config(home, HANGS)) as server:
        yield server


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_waiting_page_fits_a_small_frame(
    hanging_lab: Lab, context: BrowserContext, scheme: Literal["light", "dark"]
) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{hanging_lab.mlflow_url}{TRACE_PAGE}?token={TOKEN}&trace_id=tr-1")
    expect(page.get_by_role("progressbar")).to_be_visible()
    for height in (500, 300, 150):
        page.set_viewport_size({"width": 700, "height": height})
        heights = page.evaluate("[document.documentElement.scrollHeight, innerHeight]")
        assert heights[0] <= heights[1]
        picture(page, f"trace-waiting-{scheme}-{height}")
    page.close()


def test_the_links_of_a_trace_lead_to_the_dashboard_in_a_new_tab(
    lab: Lab, context: BrowserContext
) -> None:
    page = context.new_page()
    open_notebook(lab, page)
    trace = page.frame_locator(f"iframe[src*='{TRACE_PAGE}']").first
    link = trace.get_by_role("link", name="View in MLflow UI")
    with context.expect_page() as opened:
        link.click()
    dashboard = opened.value
    assert dashboard.url.startswith(f"{lab.mlflow_url}/#/experiments/")
    expect(dashboard.get_by_text("How long?").first).to_be_visible()
    picture(dashboard, "trace-link")
    assert page.url.startswith(f"{lab.url}/lab/")

    addresses = link.evaluate(
        """() => {
            document.body.insertAdjacentHTML("beforeend", `
                <p><a href="/#/models">1</a> <a href="/graphql">2</a> <a href="#/prompts">3</a></p>
                <a href="//other.example.org/">4</a> <a href="https://mlflow.org/docs/">5</a>`);
            return new Promise((resolve) => setTimeout(() => resolve(
                [...document.querySelectorAll("a")].slice(-5).map((a) => [a.href, a.target])
            )));
        }"""
    )
    ours = [f"{lab.mlflow_url}/{path}" for path in ("#/models", "graphql", "#/prompts")]
    assert addresses == [
        *([each, "_blank"] for each in ours),
        ["http://other.example.org/", ""],
        ["https://mlflow.org/docs/", ""],
    ]
