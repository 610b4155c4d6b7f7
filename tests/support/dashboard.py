"""MLflow's dashboard, driven through visible elements."""

from __future__ import annotations

import io
import json
import re
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from .browser import PATIENCE, watch
from .lab import TOKEN, Lab
from .waiting import wait_for

NOTICES = re.compile("^(Close|Got it|Try it now)$")  # buttons of notices for new users
PLOT = """plot => (plot.data ?? []).map(trace => ({
    name: trace.name,
    type: trace.type,
    x: Array.from(trace.x ?? []),
    y: Array.from(trace.y ?? []),
    z: Array.from(trace.z ?? []),
    axes: Object.fromEntries((trace.dimensions ?? []).map(d => [d.label, Array.from(d.values)])),
}))"""


def log_in(browser: Browser, lab: Lab) -> BrowserContext:
    """A new context of `browser`, logged in to `lab`."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    assert context.request.get(f"{lab.url}/api/status?token={TOKEN}").ok
    return context


class Run(NamedTuple):
    """A run, as the REST API returns it."""

    id: str
    name: str
    parameters: dict[str, str]
    metrics: dict[str, float]


class Dashboard:
    """The dashboard of `lab` in `page`; notices for new users are closed as they appear."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.main = page.get_by_role("main")
        self.troubles = watch(page)
        self.lab = lab
        notice = page.get_by_role("button", name=NOTICES).first
        # Not a click, which would wait while a second notice covers the first.
        page.add_locator_handler(notice, lambda button: button.dispatch_event("click"))

    def open(self, path: str) -> None:
        """Open `path`, the part of the URL after #/."""
        self.page.goto(f"{self.lab.mlflow_url}/#/{path}")

    def experiment(self, name: str) -> str:
        """The id of the experiment `name`."""
        search = {"filter": f"name = '{name}'", "max_results": 1}
        found = self.lab.api("experiments/search", search)
        return str(found["experiments"][0]["experiment_id"])

    def runs(self, experiment: str) -> list[Run]:
        """The runs of `experiment`, the newest first."""
        search = {"experiment_ids": [self.experiment(experiment)], "max_results": 100}
        return [read_run(each) for each in self.lab.api("runs/search", search)["runs"]]

    def open_runs(self, experiment: str) -> list[Run]:
        """Open the table of the runs of `experiment`; returns them."""
        runs = self.runs(experiment)
        self.open(f"experiments/{self.experiment(experiment)}/runs")
        self.expect_rows([run.name for run in runs])
        return runs

    def row(self, name: str) -> Locator:
        """The row of the run `name` in the table of runs, up to the name column."""
        link = self.page.get_by_role("link", name=name, exact=True)
        return self.main.get_by_role("row").filter(has=link)

    def expect_rows(self, names: list[str]) -> None:
        """Wait until the table of runs has exactly these names, from top to bottom."""
        links = self.main.locator("a[href*='/runs/']")
        script = "links => links.map(a => [a.getBoundingClientRect().y, a.textContent])"
        shown: list[str] = []

        def are_shown() -> bool:
            shown[:] = [name for _, name in sorted(links.evaluate_all(script))]
            return shown == names

        expect(links.first).to_be_visible()
        wait_for(are_shown, message=f"not {names} but {shown}")

    def sort(self, column: str) -> None:
        """Sort the table of runs by `column`, the highest first."""
        self.page.get_by_role("button", name="Sort:").click()
        self.page.get_by_role("menuitemcheckbox", name=column, exact=True).click()

    def select(self, runs: list[Run]) -> None:
        """Select `runs` in their table."""
        for run in runs:
            self.row(run.name).get_by_role("checkbox", name="row selection").check()

    def compare(self, count: int) -> None:
        """Compare the `count` selected runs."""
        self.page.get_by_role("button", name="Compare", exact=True).click()
        title = f"Comparing {count} Runs from 1 Experiment"
        expect(self.page.get_by_role("heading", name=title)).to_be_visible()
        plot = self.page.get_by_role("tabpanel").locator(".js-plotly-plot")
        expect(plot.locator("svg").first).to_be_attached()  # the layout below is now stable

    def show_charts(self) -> None:
        """Go from the table of runs to their charts."""
        self.main.get_by_role("radio").nth(1).locator("xpath=ancestor::label").click()
        expect(self.page.get_by_role("button", name="Configure charts")).to_be_visible()

    def chart(self, title: str) -> Locator:
        """The innermost element with both the heading `title` and a plot."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        plot = self.page.locator(".js-plotly-plot")
        return self.main.locator("div").filter(has=heading).filter(has=plot).last

    def history(self, run: Run, metric: str) -> list[tuple[int, float]]:
        """Steps and values of `metric`."""
        path = f"metrics/get-history?run_id={run.id}&metric_key={metric}"
        answer = self.lab.get(f"/api/2.0/mlflow/{path}").json()
        return [(each["step"], each["value"]) for each in answer["metrics"]]

    def choose_axes(self, parameters: list[str], metrics: list[str]) -> None:
        """Choose the axes of a comparison's parallel coordinates."""
        self.page.get_by_role("button", name="Clear All").click()
        boxes = self.page.get_by_role("tabpanel").get_by_role("combobox").all()
        for box, names in zip(boxes, (parameters, metrics), strict=True):
            box.click()
            for name in names:
                self.page.get_by_title(name, exact=True).click()
            self.page.keyboard.press("Escape")


def read_run(run: Any) -> Run:
    """Read a run of the REST API."""
    data = run["data"]
    return Run(
        run["info"]["run_id"],
        run["info"]["run_name"],
        {each["key"]: each["value"] for each in data.get("params", ())},
        {each["key"]: each["value"] for each in data.get("metrics", ())},
    )


def traces(plot: Locator) -> list[dict[str, Any]]:
    """The traces of `plot`, a Plotly element."""
    return list(json.loads(json.dumps(plot.evaluate(PLOT))))


def colours(element: Locator) -> set[tuple[int, ...]]:
    """The colours that `element` shows, greys apart, in steps of 16."""
    picture = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    counted = picture.getcolors(picture.width * picture.height)
    rounded = {tuple(level // 16 for level in colour) for _, colour in counted}
    return {colour for colour in rounded if max(colour) - min(colour) > 4}
