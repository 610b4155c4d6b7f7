"""The dashboard shows all stored content; scripts in it do not run with Jupyter's origin.

MLflow's page has Jupyter's origin: a script in it can write files and start kernels. Each attack
runs with the page's Content-Security-Policy, which must stop it, and once without it, where it
must succeed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import mlflow
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from support.browser import PATIENCE, VIOLATION, chromium, picture
from support.dashboard import Dashboard
from support.lab import TOKEN, Lab
from support.waiting import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.release]
LOG_EVERYTHING = Path(__file__).parents[1] / "resources" / "log_everything.py"
BUILD = Path(mlflow.__file__).parent / "server" / "js" / "build"
HAS_CUSTOM_VIEWS = any("mlflow.customView.view" in p.read_text() for p in BUILD.rglob("main.*.js"))
FRAME = "/_proxy/artifact_frame"


class Content(NamedTuple):
    """Ids of the stored content."""

    experiment: str
    runs: list[str]
    trace: str


@pytest.fixture(scope="module")
def content(lab: Lab) -> Content:
    printed = lab.run_in_kernel(LOG_EVERYTHING.read_text())
    return Content(**json.loads(printed.strip().splitlines()[-1]))


@pytest.fixture(scope="module")
def browser(content: Content) -> Iterator[Browser]:
    with chromium() as running:  # after the kernel: Playwright's event loop excludes asyncio.run
        yield running


@pytest.fixture(scope="module")
def contexts(browser: Browser, lab: Lab) -> dict[bool, BrowserContext]:
    """With the page's policy and without it; tests share what they have cached of MLflow's page."""
    size: ViewportSize = {"width": 1280, "height": 800}
    found = {has: browser.new_context(bypass_csp=not has, viewport=size) for has in (True, False)}
    for context in found.values():
        context.set_default_timeout(PATIENCE)
        assert context.request.get(f"{lab.url}/api/status?token={TOKEN}").ok
    return found


@contextmanager
def opened(context: BrowserContext, lab: Lab) -> Iterator[Dashboard]:
    """A new dashboard."""
    try:
        yield Dashboard(context.new_page(), lab)
    finally:
        for page in context.pages:
            page.close()


@pytest.fixture
def dashboard(contexts: dict[bool, BrowserContext], lab: Lab) -> Iterator[Dashboard]:
    """A dashboard; a policy violation fails the test. Requests to the Internet are intercepted."""

    def answer(route: Route) -> None:
        if route.request.url.startswith("https://scripts.example/"):
            library = 'document.querySelector("h1").textContent = "Report with a library";'
            route.fulfill(body=library, content_type="text/javascript")
        else:
            is_page = route.request.resource_type == "document"
            route.fulfill(body="elsewhere" if is_page else "", content_type="text/html")

    with opened(contexts[True], lab) as board:
        # Not for the attacks: a pop-up's script does not run in a page with a route.
        board.page.route(lambda url: not url.startswith((lab.url, "blob:")), answer)
        yield board
        assert not violations(board)


def wait_in(page: Page, condition: Callable[[], Any]) -> None:
    """Wait for `condition` while `page` and its pop-ups keep running."""

    def is_met() -> Any:
        page.wait_for_timeout(50)
        return condition()

    wait_for(is_met)


def violations(dashboard: Dashboard) -> list[str]:
    return [trouble for trouble in dashboard.troubles if VIOLATION in trouble]


# Attacks: each stores a `script`, then acts as a user would.


def source_on_the_page_of_a_run(dashboard: Dashboard, script: str, content: Content) -> None:
    run = run_with_source(dashboard, f"javascript:{script}//git/train.py", content)
    dashboard.open(f"experiments/{content.experiment}/runs/{run}")
    dashboard.main.get_by_role("link", name="train.py").click()


def source_in_the_table_of_runs(dashboard: Dashboard, script: str, content: Content) -> None:
    run = run_with_source(dashboard, f"javascript:{script}//git/train.py", content, "PROJECT")
    dashboard.open(f"experiments/{content.experiment}/runs")
    row = dashboard.main.get_by_role("row").filter(has=dashboard.page.locator(f"[href*='{run}']"))
    rows = dashboard.main.locator(f"[row-id='{row.first.get_attribute('row-id')}']")
    rows.locator("[href^='javascript:']").first.click()


def custom_view_of_traces(dashboard: Dashboard, script: str, content: Content) -> None:
    text = {"call": "openUrl", "args": {"url": f"javascript:{script}"}, "returnType": "void"}
    components = [{"id": "root", "component": "Text", "text": text}]
    surface = {"surfaceId": "main", "components": components}
    template = [{"version": "v0.9", "updateComponents": surface}]
    view = {"id": "view", "name": "A view", "template": template}
    tag = {"key": "mlflow.customView.view.v1.view", "value": json.dumps(view)}
    dashboard.lab.api(
        "experiments/set-experiment-tag", {"experiment_id": content.experiment, **tag}
    )
    page = dashboard.page
    dashboard.open(f"experiments/{content.experiment}/traces")
    page.get_by_text("How many?").first.click()
    page.get_by_role("button", name="Default view").click()
    page.get_by_role("menu").get_by_text("A view", exact=True).click()


def run_with_source(
    dashboard: Dashboard, source: str, content: Content, kind: str = "LOCAL"
) -> str:
    tags = {"mlflow.source.name": source, "mlflow.source.type": kind}
    run = {
        "experiment_id": content.experiment,
        "run_name": "with a source",
        "start_time": int(1000 * time.time()),
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    return str(dashboard.lab.api("runs/create", run)["run"]["info"]["run_id"])


ATTACKS = [source_on_the_page_of_a_run, source_in_the_table_of_runs]
if HAS_CUSTOM_VIEWS:
    ATTACKS.append(custom_view_of_traces)


@pytest.mark.parametrize("has_policy", [True, False], ids=["policy", "no policy"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_the_policy_blocks_a_stored_script(
    contexts: dict[bool, BrowserContext],
    lab: Lab,
    content: Content,
    attack: Any,
    has_policy: bool,
) -> None:
    written = lab.root / f"{attack.__name__}-{has_policy}.txt"
    script = (
        f"fetch('{lab.url}/api/contents/{written.name}', {{method: 'PUT',"
        "headers: {'X-XSRFToken': (document.cookie.match(/_xsrf=([^;]*)/) ?? [])[1] ?? ''},"
        "body: JSON.stringify({type: 'file', format: 'text', content: ''})})"
    )
    with opened(contexts[has_policy], lab) as dashboard:
        attack(dashboard, script, content)
        if has_policy:
            wait_in(dashboard.page, lambda: violations(dashboard))
        else:
            wait_in(dashboard.page, written.exists)
    assert written.exists() != has_policy


def test_a_source_link_to_the_web_opens(dashboard: Dashboard, content: Content) -> None:
    run = run_with_source(dashboard, "https://github.com/mlflow/mlflow#examples/train.py", content)
    dashboard.open(f"experiments/{content.experiment}/runs/{run}")
    dashboard.main.get_by_role("link", name="train.py").click()
    expect(dashboard.page.get_by_text("elsewhere")).to_be_visible()
    assert dashboard.page.url.startswith("https://github.com/mlflow/mlflow/tree/")


def test_an_html_artifact_runs_its_scripts_without_access_to_jupyter(
    dashboard: Dashboard, lab: Lab, content: Content
) -> None:
    show(dashboard, content, "page.html")
    report = dashboard.main.locator("iframe").content_frame
    expect(report.get_by_text("drawn by a script")).to_be_visible()
    expect(report.get_by_role("heading")).to_have_text("Report with a library")
    picture(dashboard.page, "html-artifact")
    page = report.locator("html")
    assert page.evaluate("() => self.origin") == "null"
    for secret in ("document.cookie", "localStorage", "parent.document"):
        read = f"() => {{ try {{ return `${{{secret}}}` }} catch (e) {{ return e.name }} }}"
        assert page.evaluate(read) == "SecurityError"
    ask = "url => fetch(url, { credentials: 'include' }).then(() => 'answered', e => e.name)"
    assert page.evaluate(ask, f"{lab.url}/api/contents") == "TypeError"
    assert dashboard.page.evaluate(ask, f"{lab.url}/api/contents") == "answered"


def test_an_html_artifact_can_be_downloaded(dashboard: Dashboard, content: Content) -> None:
    show(dashboard, content, "page.html")
    button = dashboard.main.get_by_text("Path: ").locator("xpath=preceding::button[1]")
    with dashboard.page.expect_download() as download:
        button.click()
    assert "drawn by a script" in Path(download.value.path()).read_text()


def test_the_artifact_frame_has_an_opaque_origin_everywhere(dashboard: Dashboard, lab: Lab) -> None:
    page = dashboard.page
    page.goto(f"{lab.mlflow_url}{FRAME}")
    assert page.evaluate("self.origin") == "null"
    page.goto("https://elsewhere.example/")
    page.set_content(f"<iframe src='{lab.mlflow_url}{FRAME}'></iframe>")
    wait_in(page, lambda: page.frames[-1].url.startswith("chrome-error:"))


# Paths of the dashboard and the element that must be visible on each.

PLOT = ".js-plotly-plot svg"
PAGES = {
    "": "main",
    "experiments": "text=everything",
    "settings": "main",
    "gateway": "main",
    "mcp-servers": "main",
    "models": "text=echo",
    "models/echo": "text=Version 1",
    "models/echo/versions/1": "text=Version 1",
    "prompts": "text=greeting",
    "prompts/greeting": "text=Hello",
    "experiments/{experiment}/overview": "main",
    "experiments/{experiment}/runs": "text=run 1",
    "experiments/{experiment}/runs?compareRunsMode=CHART": PLOT,
    "experiments/{experiment}/runs?compareRunsMode=ARTIFACT": "main",
    "experiments/{experiment}/models": "main",
    "experiments/{experiment}/evaluation-runs": "main",
    "experiments/{experiment}/datasets": "main",
    "experiments/{experiment}/judges": "main",
    "experiments/{experiment}/chat-sessions": "main",
    "experiments/{experiment}/prompts": "main",
    "experiments/{experiment}/traces": "text=How many?",
    "experiments/{experiment}/traces"
    "?selectedEvaluationId={trace}&traceId={trace}": "text=How many?",
    "experiments/{experiment}/runs/{run}": "text=depth",
    "experiments/{experiment}/runs/{run}/model-metrics": PLOT,
    "experiments/{experiment}/runs/{run}/system-metrics": PLOT,
    "experiments/{experiment}/runs/{run}/traces": "main",
    "compare-runs?runs={runs}&experiments={experiments}": PLOT,
    "metric/loss?runs={runs}&experiments={experiments}"
    "&metric=%22loss%22&plot_metric_keys=%5B%22loss%22%5D": PLOT,
}
ARTIFACTS = {
    "code.py": "code",
    "data.json": "code",
    "document.pdf": "canvas",
    "drawing.svg": "img[src^='blob:']",
    "film.mp4": "text=Path:",  # not a valid video; MLflow 3.10 reports it
    "map.geojson": ".leaflet-marker-icon",
    "notes.md": "text=Notes",
    "page.html": "iframe",
    "picture.png": "img[src^='blob:']",
    "settings.yaml": "code",
    "sound.wav": "audio[src^='blob:']",
    "table.csv": "text=Previewing",
    "table.json": "text=question",
    "text.txt": "code",
}


def test_every_page_is_shown_without_violations(dashboard: Dashboard, content: Content) -> None:
    names = {
        "experiment": content.experiment,
        "experiments": quote(json.dumps([content.experiment])),
        "run": content.runs[0],
        "runs": quote(json.dumps(content.runs)),
        "trace": content.trace,
    }
    page = dashboard.page
    for path, shown in PAGES.items():
        if shown in ("main", PLOT):  # which the page before may have shown, too
            page.goto("about:blank")
        dashboard.open(path.format(**names))
        expect(page.locator(shown).first).to_be_visible()
        with suppress(PlaywrightTimeout):  # an open trace polls every second
            page.wait_for_load_state("networkidle", timeout=700)
        assert not violations(dashboard), path
        expect(page.get_by_text("WebGL is not")).to_be_hidden()


def test_every_artifact_viewer_works_without_violations(
    dashboard: Dashboard, content: Content
) -> None:
    for name, shown in ARTIFACTS.items():
        show(dashboard, content, name)
        expect(dashboard.main.locator(shown).first).to_be_visible()
        assert not violations(dashboard), name


def show(dashboard: Dashboard, content: Content, artifact: str) -> None:
    # From another artifact, a change of the address alone leads nowhere.
    dashboard.open("models")
    expect(dashboard.main.get_by_text("Path: ")).to_have_count(0)
    dashboard.open(f"experiments/{content.experiment}/runs/{content.runs[0]}/artifacts/{artifact}")
    expect(dashboard.main.get_by_text("Path: ")).to_contain_text(artifact)
