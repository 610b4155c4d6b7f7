"""A dashboard without input refreshes itself as long as a user watches a run that is running."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from mlflow_proxy.addresses import ARTIFACT_FRAME
from support.browser import picture, watch
from support.lab import Lab, lab_server
from support.waiting import wait_for
from support.watched_page import NOTICE, PAUSE, REFRESH, Training, Watched

pytestmark = pytest.mark.browser
# All that a page's pause depends on. Each user has a domain, so that frames are allowed.
ON_HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/", "JUPYTERHUB_HOST": "http://hub.example.org"}

INPUTS: dict[str, Callable[[Page], None]] = {
    "key": lambda page: page.keyboard.press("Shift"),
    "wheel": lambda page: page.mouse.wheel(0, 10),
    "click": lambda page: page.mouse.click(1270, 790),
}


@pytest.fixture(scope="module")
def hub_lab(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Lab]:
    """A Jupyter server whose pages pause as early as on a hub, with MLflow ready."""
    with lab_server(tmp_path_factory.mktemp("lab"), env=ON_HUB, database=new_database) as server:
        server.wait_until("ready")
        yield server


def open_table(context: BrowserContext, lab: Lab, training: Training) -> Watched:
    """Open the table of runs that has `training`."""
    watched = Watched(context, lab, f"{training.experiment}/runs")
    expect(watched.page.get_by_text(training.name).first).to_be_visible()
    return watched


def test_a_running_run_is_refreshed_until_it_has_ended(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "epoch-one")
    watched = open_table(context, hub_lab, training)
    troubles = watch(watched.page)
    assert any(url.endswith("runs/search") for url in watched.pass_time(PAUSE + REFRESH))
    training.rename("epoch-two")
    watched.pass_time(REFRESH)
    expect(watched.page.get_by_text("epoch-two").first).to_be_visible()
    assert watched.notice.count() == 0

    training.end()
    watched.pass_time_until_paused(5 * REFRESH)
    training.rename("epoch-last")
    assert not watched.pass_time(PAUSE + REFRESH)
    expect(watched.page.get_by_text("epoch-two").first).to_be_visible()
    picture(watched.page, "watched-paused")

    watched.notice.click()
    expect(watched.page.get_by_text("epoch-last").first).to_be_visible()
    assert watched.notice.count() == 0
    assert not troubles


def test_any_input_resumes(hub_lab: Lab, context: BrowserContext) -> None:
    training = Training(hub_lab, "before")
    training.end()
    watched = open_table(context, hub_lab, training)
    for name, give in INPUTS.items():
        watched.pass_time_until_paused(2 * PAUSE)
        training.rename(f"after-{name}")
        give(watched.page)
        expect(watched.page.get_by_text(f"after-{name}").first).to_be_visible()
        expect(watched.notice).to_have_count(0)


# What stored content could do in a paused dashboard: MLflow shows an HTML artifact in such a frame.
ARTIFACT = """address => new Promise((resolve) => {
    const html = "<script>parent.postMessage('mlflow-input', '*')</script>";
    const artifact = document.createElement("iframe");
    Object.assign(artifact, { sandbox: "allow-scripts", src: address });
    addEventListener("message", ({ data, source }) => {
        if (data === "mlflow-input") setTimeout(resolve, 100);
        else source.postMessage(new Blob([html]), "*");
    });
    document.body.append(artifact);
})"""
CLICK = "document.body.dispatchEvent(new MouseEvent('click', { bubbles: true }))"
OPEN = """address => {
    frames[0].postMessage("mlflow-input", location.origin);
    frames[0].location.assign(address);
}"""


def test_a_click_in_jupyterlab_and_the_browsers_back_button_are_input(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "outside")
    training.end()
    other = Training(hub_lab, "other")
    other.end()
    watched = Watched(context, hub_lab, "")
    page = watched.page
    page.set_content(f"""<iframe style="width: 1200px; height: 700px"
        src="{hub_lab.mlflow_url}/{training.experiment}/runs"></iframe>""")
    dashboard = page.frame_locator("iframe")
    watched.notice = dashboard.get_by_role("status").filter(has_text=NOTICE)
    expect(dashboard.get_by_text("outside").first).to_be_visible()
    watched.pass_time_until_paused(2 * PAUSE)

    frame = page.frames[1]
    frame.evaluate(ARTIFACT, f"{hub_lab.mlflow_url}{ARTIFACT_FRAME}")
    frame.evaluate(CLICK)
    expect(watched.notice).to_be_visible()

    # The page of a run leaves its address as it is, so that one step leads back.
    page.evaluate(OPEN, f"{hub_lab.mlflow_url}/{other.experiment}/runs/{other.id}")
    expect(dashboard.get_by_role("heading", name="other")).to_be_visible()
    expect(watched.notice).to_have_count(0)
    watched.pass_time(PAUSE)
    training.rename("outside again")
    page.evaluate("history.back()")
    expect(dashboard.get_by_text("outside again").first).to_be_visible()
    expect(watched.notice).to_have_count(0)


def test_a_stopped_mlflow_is_told_and_started_by_a_click(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "before the stop")
    training.end()
    watched = open_table(context, hub_lab, training)
    page = watched.page
    box = page.get_by_placeholder("metrics.rmse")
    box.fill("metrics.lo")
    page.clock.fast_forward(16_000)  # the next refresh is no use
    hub_lab.stop()
    watched.pass_time(REFRESH)
    bar = page.get_by_role("status").filter(has_text="MLflow was stopped")
    expect(bar).to_have_text("MLflow was stopped by the user. Click to start it.")
    picture(page, "stopped-notice")
    assert hub_lab.status()["state"] == "idle"
    bar.click()
    expect(bar).to_contain_text("MLflow was stopped by the user; starting …")
    hub_lab.wait_until("ready")
    expect(bar).to_have_count(0)
    training.rename("after the stop")
    watched.pass_time(REFRESH)
    expect(page.get_by_text("after the stop").first).to_be_visible()
    expect(box).to_have_value("metrics.lo")


def test_a_hidden_page_pauses_and_goes_on_when_it_is_shown(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "behind")
    watched = open_table(context, hub_lab, training)
    watched.pass_time(PAUSE)
    watched.hide(True)
    watched.pass_time_until_paused(5 * REFRESH)
    training.rename("in-front")
    assert not watched.pass_time(PAUSE)
    watched.hide(False)
    expect(watched.page.get_by_text("in-front").first).to_be_visible()
    assert watched.notice.count() == 0
    assert watched.pass_time(PAUSE)
    watched.hide(True)
    watched.pass_time_until_paused(5 * REFRESH)
    training.end()
    watched.hide(False)
    watched.pass_time(REFRESH)  # the answer, that it has ended, changes nothing
    expect(watched.notice).to_be_visible()


def test_a_frame_that_jupyterlab_hides_pauses(hub_lab: Lab, context: BrowserContext) -> None:
    training = Training(hub_lab, "framed")
    watched = Watched(context, hub_lab, "")
    watched.page.set_content(f"""<div id="tab"><iframe style="width: 1200px; height: 700px"
        src="{hub_lab.mlflow_url}/{training.experiment}/runs"></iframe></div>""")
    frame = watched.page.frame_locator("iframe")
    watched.notice = frame.get_by_role("status").filter(has_text=NOTICE)
    expect(frame.get_by_text(training.name).first).to_be_visible()
    assert watched.pass_time(PAUSE + REFRESH)
    watched.page.evaluate("tab.style.display = 'none'")
    for _ in range(5):
        sent = watched.pass_time(REFRESH)
    assert not sent
    training.rename("framed-again")
    watched.page.evaluate("tab.style.display = 'block'")
    expect(frame.get_by_text("framed-again").first).to_be_visible()
    assert watched.notice.count() == 0
    training.end()


def test_an_hour_after_the_last_input_the_page_pauses(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "endless")
    watched = open_table(context, hub_lab, training)
    for _ in range(2):
        watched.page.keyboard.press("Shift")
        watched.page.clock.fast_forward(1000 * (3600 - 3 * REFRESH))
        assert watched.pass_time(REFRESH)
        assert watched.notice.count() == 0
    watched.pass_time_until_paused(6 * REFRESH)
    training.end()


@pytest.mark.parametrize("status", ["FINISHED", "KILLED"])
def test_the_charts_of_one_run_are_refreshed_until_it_has_ended(
    hub_lab: Lab, context: BrowserContext, status: str
) -> None:
    training = Training(hub_lab, f"curve-{status}")
    address = f"{training.experiment}/runs/{training.id}/model-metrics"
    watched = Watched(context, hub_lab, address)
    expect(watched.page.get_by_text("loss").first).to_be_visible()
    # MLflow requests the metric and never the status.
    assert any("get-history" in url for url in watched.pass_time(PAUSE + REFRESH))
    training.end(status)
    watched.pass_time_until_paused(5 * REFRESH)


def test_a_run_that_a_filter_no_longer_finds_is_not_watched(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "filtered")
    search = "searchFilter=attributes.status%20%3D%20%27RUNNING%27"
    watched = Watched(context, hub_lab, f"{training.experiment}/runs?{search}")
    expect(watched.page.get_by_text("filtered").first).to_be_visible()
    assert watched.pass_time(PAUSE + REFRESH)
    training.end()
    watched.pass_time_until_paused(6 * REFRESH)


def test_a_run_of_a_page_that_was_left_is_not_watched(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "left")
    other = hub_lab.api("experiments/create", {"name": f"without {training.id}"})
    watched = open_table(context, hub_lab, training)
    watched.pass_time(PAUSE)
    watched.page.evaluate(f"location.hash = '/experiments/{other['experiment_id']}/runs'")
    expect(watched.page.get_by_text(re.compile("No runs|no runs")).first).to_be_visible()
    watched.pass_time_until_paused(6 * REFRESH)
    training.end()


def test_the_notice_is_readable_in_the_dark_theme_and_in_a_narrow_frame(
    hub_lab: Lab, context: BrowserContext
) -> None:
    training = Training(hub_lab, "dark")
    training.end()
    watched = open_table(context, hub_lab, training)
    for theme, size in (("dark", (1280, 800)), ("light", (320, 400))):
        page = watched.page
        is_dark = str(theme == "dark").lower()
        page.evaluate(f"localStorage._mlflow_dark_mode_toggle_enabled = {is_dark}")
        page.reload()
        expect(page.get_by_text(training.name).first).to_be_visible()
        watched.pass_time_until_paused(2 * PAUSE)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        box = watched.notice.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
        colours = watched.notice.evaluate(
            "bar => [getComputedStyle(bar).color, getComputedStyle(bar).backgroundColor]"
        )
        dark, light = "rgb(18, 18, 18)", "rgb(255, 255, 255)"
        text, back = (dark, light) if theme == "dark" else (light, "rgb(0, 0, 0)")
        assert colours == [text, back]
        picture(page, f"watched-{theme}")


def test_mlflow_is_stopped_only_once_the_run_is_no_longer_watched(
    start_lab: Callable[..., Lab], context: BrowserContext, new_database: Path
) -> None:
    idle_timeout = 8  # seconds
    config = f"c.MLflowProxy.idle_timeout = {idle_timeout}"
    lab = start_lab(config=config, database=new_database)
    lab.wait_until("ready")
    training = Training(lab, "watched")
    watched = open_table(context, lab, training)
    deadline = time.monotonic() + 2 * idle_timeout
    while time.monotonic() < deadline:
        # Of the page's clock, which is faster than MLflow's. On a busy machine it may come late.
        assert watched.pass_time(REFRESH) or watched.pass_time(REFRESH)
    assert lab.status()["state"] == "ready"
    assert "without use" not in lab.mlflow_log.read_text()
    watched.hide(True)
    watched.pass_time_until_paused(5 * REFRESH)
    wait_for(lambda: lab.status()["state"] == "idle", 3 * idle_timeout)
    assert not watched.pass_time(PAUSE)
    assert lab.status()["state"] == "idle"
