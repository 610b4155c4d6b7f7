"""End to end: browser, proxy, hub, single-user server and MLflow, with a public host name."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page, Response, expect

from support.browser import picture
from support.hub import BASE_URL, Hub
from support.hub_browser import TIMEOUT, browser_of, log_in
from support.lab import PAGE, leftovers
from support.processes import describe, processes_of
from support.waiting import wait_for

pytestmark = pytest.mark.hub

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=100"
CREATE = "/ajax-api/2.0/mlflow/experiments/create"
LOG_A_RUN = """
import mlflow, os
mlflow.set_experiment("from a notebook")
with mlflow.start_run(run_name="run of a notebook"):
    mlflow.log_metric("loss", 0.25)
print(os.environ["MLFLOW_PROXY_DASHBOARD_URL"])
print(mlflow.get_tracking_uri())
"""


@pytest.fixture
def bob(hub: Hub) -> Iterator[requests.Session]:
    """The session of a user whose MLflow is ready."""
    hub.start_server("bob")
    with hub.log_in("bob") as session:
        # A page load leads through the hub's login; a program's request does not.
        session.get(hub.mlflow("bob"), headers=PAGE, timeout=30).raise_for_status()
        status = hub.mlflow("bob", "/_proxy/status")
        wait_for(
            lambda: session.get(status, timeout=30).json()["state"] == "ready",
            60,
            f"MLflow is not ready, see {hub.home}",
        )
        yield session


@pytest.mark.browser
def test_a_user_logs_in_and_creates_an_experiment(hub: Hub) -> None:
    with browser_of(hub) as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        log_in(page, hub, "alice")
        card = page.locator(".jp-LauncherCard", has_text="MLflow").first
        expect(card).to_be_visible(timeout=TIMEOUT)
        picture(page, "hub-1-launcher")
        with page.expect_popup() as popup:
            card.click()
        dashboard = popup.value
        expect(dashboard.locator("body[data-state=starting]")).to_be_visible(timeout=TIMEOUT)
        picture(dashboard, "hub-2-loading")
        experiments = dashboard.get_by_role("link", name="Experiments").first
        expect(experiments).to_be_visible(timeout=TIMEOUT)
        assert dashboard.url.startswith(f"{hub.origin}{BASE_URL}user/alice/mlflow/")
        experiments.click()
        expect(dashboard.get_by_role("link", name="Default")).to_be_visible(timeout=TIMEOUT)
        picture(dashboard, "hub-3-dashboard")
        assert create_experiment(dashboard, "of the dashboard").status == 200
        expect(dashboard.get_by_text("of the dashboard").first).to_be_visible(timeout=TIMEOUT)
        picture(dashboard, "hub-4-experiment")
        see_it_in_the_sidebar(page)


def see_it_in_the_sidebar(lab: Page) -> None:
    """JupyterHub checks the XSRF token of reads as well."""
    lab.bring_to_front()
    lab.locator("[data-id=jp-mlflow-sidebar]").click()
    sidebar = lab.locator("#jp-mlflow-sidebar")
    expect(sidebar.get_by_text("of the dashboard")).to_be_visible(timeout=TIMEOUT)
    lab.keyboard.press("Control+Shift+C")
    lab.keyboard.type("MLflow")
    lab.locator(".lm-CommandPalette-item[data-command='mlflow:stop']").click()
    expect(sidebar.get_by_text("Stopped by the user")).to_be_visible(timeout=TIMEOUT)
    sidebar.get_by_role("button", name="Start").click()
    expect(sidebar.get_by_text("Stopped by the user")).to_be_hidden(timeout=TIMEOUT)
    picture(lab, "hub-5-sidebar")


def create_experiment(dashboard: Page, name: str) -> Response:
    dashboard.get_by_role("button", name="Create", exact=True).click()
    dialog = dashboard.get_by_role("dialog")
    dialog.get_by_label("Experiment Name").fill(name)
    with dashboard.expect_response(f"**{CREATE}") as response:
        dialog.get_by_role("button", name="Create").click()
    return response.value


def test_a_logged_in_user_reads_the_store(hub: Hub, bob: requests.Session) -> None:
    answer = bob.get(hub.mlflow("bob", SEARCH), timeout=30)
    assert answer.status_code == 200
    assert "Default" in {each["name"] for each in answer.json()["experiments"]}


def test_a_page_of_the_hub_may_write(hub: Hub, bob: requests.Session) -> None:
    answer = post(hub, bob, "of the hub's page", Origin=hub.origin)
    assert answer.status_code == 200, answer.text
    assert answer.json()["experiment_id"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_page_of_another_origin_is_refused(hub: Hub, bob: requests.Session, origin: str) -> None:
    answer = post(hub, bob, f"of {origin}", Origin=origin)
    assert answer.status_code == 403
    assert "Cross-origin" in answer.text


def post(hub: Hub, session: requests.Session, name: str, **headers: str) -> requests.Response:
    url = hub.mlflow("bob", CREATE)
    headers["Sec-Fetch-Mode"] = "cors"  # as a browser sends over HTTPS
    headers["X-XSRFToken"] = hub.xsrf_token(session, "bob")
    return session.post(url, json={"name": name}, headers=headers, timeout=30)


@pytest.mark.usefixtures("bob")
@pytest.mark.parametrize("path", ["/", SEARCH, "/version"])
def test_a_request_without_a_login_is_redirected(hub: Hub, path: str) -> None:
    headers = {"Host": hub.host, **PAGE}
    answer = requests.get(
        hub.mlflow("bob", path), headers=headers, timeout=30, allow_redirects=False
    )
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{BASE_URL}hub/api/oauth2/authorize")
    assert not answer.content


@pytest.mark.usefixtures("bob")
def test_a_script_without_a_login_is_refused(hub: Hub) -> None:
    for path in ("/_proxy/status", "/_proxy/control"):
        url = hub.mlflow("bob", path)
        answer = requests.get(url, headers={"Host": hub.host}, timeout=30, allow_redirects=False)
        assert answer.status_code == 403
        assert "state" not in answer.json()


@pytest.mark.usefixtures("bob")
def test_a_write_without_a_login_is_refused(hub: Hub) -> None:
    headers = {"Host": hub.host, "Origin": hub.origin}
    with requests.Session() as session:
        assert post(hub, session, "without a login", **headers).status_code == 403


@pytest.mark.usefixtures("bob")
def test_another_user_is_refused(hub: Hub) -> None:
    with hub.log_in("carol") as carol:
        answer = carol.get(hub.mlflow("bob"), headers=PAGE, timeout=30)
        assert answer.status_code == 403
        assert "MLflow" not in answer.text
        token = {"Authorization": f"token {hub.token('carol')}"}
        assert carol.get(hub.mlflow("bob", SEARCH), headers=token, timeout=30).status_code == 403


def test_a_run_of_a_notebook_is_in_the_dashboard(hub: Hub, bob: requests.Session) -> None:
    store = hub.home / "bob" / "work" / "mlflow.db"
    printed = hub.run_in_kernel("bob", LOG_A_RUN).splitlines()
    dashboard = urlsplit(hub.mlflow("bob", "")).path
    assert printed[-2:] == [dashboard, f"sqlite:///{store}"]
    experiments = bob.get(hub.mlflow("bob", SEARCH), timeout=30).json()["experiments"]
    ids = [each["experiment_id"] for each in experiments if each["name"] == "from a notebook"]
    answer = bob.post(
        hub.mlflow("bob", "/ajax-api/2.0/mlflow/runs/search"),
        json={"experiment_ids": ids},
        headers={"Origin": hub.origin, "X-XSRFToken": hub.xsrf_token(bob, "bob")},
        timeout=30,
    )
    (run,) = answer.json()["runs"]
    assert run["info"]["run_name"] == "run of a notebook"
    assert run["info"]["status"] == "FINISHED"
    assert run["data"]["metrics"][0]["value"] == 0.25


def test_a_stopped_server_leaves_nothing_behind(hub: Hub, bob: requests.Session) -> None:
    token = {"Authorization": f"token {hub.token('bob')}"}
    kernels = f"{hub.address}/user/bob/api/kernels"
    bob.post(kernels, json={}, headers=token, timeout=30).raise_for_status()
    home = hub.home / "bob"
    programs = {describe(process) for process in processes_of(home)}
    for program in ("jupyterhub-singleuser", "mlflow_proxy/server", "ipykernel"):
        assert any(program in each for each in programs), programs
    assert leftovers(home)  # the socket, in use
    hub.stop_server("bob")
    wait_for(lambda: not processes_of(home), 20, f"left behind: {processes_of(home)}")
    assert leftovers(home) == []
