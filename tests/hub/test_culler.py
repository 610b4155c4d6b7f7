"""jupyterhub-idle-culler stops a server with an open but unused dashboard, and no other."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from support.browser import chromium
from support.hub import ADMIN_TOKEN, BASE_URL, HOST, PASSWORD, Hub
from support.lab import PAGE
from support.processes import environment, running
from support.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.browser]
TIMEOUT = 8  # seconds without activity
PATIENCE = 60_000  # milliseconds


def test_the_culler_stops_a_server_whose_dashboard_is_open_but_unused(hub: Hub) -> None:
    for user in ("erin", "frank"):
        hub.start_server(user)
    mapping = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    with hub.log_in("frank") as frank, chromium(mapping) as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.clock.install()
        open_dashboard(hub, page, "erin")
        refreshed: list[str] = []
        page.on("request", lambda request: refreshed.append(request.url))
        for _ in range(5):  # the page's clock advances by 2.5 minutes
            page.clock.fast_forward(31_000)
            page.wait_for_timeout(200)
        assert any(url.endswith("runs/search") for url in refreshed)
        before = hub.server_state("frank")["last_activity"]

        def frank_is_active() -> bool:
            frank.get(hub.mlflow("frank"), headers=PAGE, timeout=30).raise_for_status()
            return hub.server_state("frank")["last_activity"] > before

        wait_for(frank_is_active)
        with idle_culler(hub):

            def erin_is_culled() -> bool:
                assert frank_is_active()
                page.clock.fast_forward(31_000)  # the hub's proxy counts every request
                return not hub.server_state("erin")

            wait_for(erin_is_culled, 30, "the server with the stale dashboard is still running")
            assert hub.server_state("frank")["ready"]


def test_a_watched_run_keeps_the_culler_away_for_an_hour_at_most(hub: Hub) -> None:
    hub.start_server("grace")
    mapping = f"--host-resolver-rules=MAP {HOST} 127.0.0.1"
    with chromium(mapping) as browser:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.clock.install()
        start_run(hub, "grace")
        open_dashboard(hub, page, "grace")
        expect(page.get_by_text("training").first).to_be_visible()
        with idle_culler(hub):
            deadline = time.monotonic() + 3 * TIMEOUT
            while time.monotonic() < deadline:
                page.clock.fast_forward(31_000)
                page.wait_for_timeout(500)
                assert hub.server_state("grace")["ready"]

            page.clock.fast_forward(3_600_000)  # since the last input

            def is_culled() -> bool:
                page.clock.fast_forward(31_000)
                return not hub.server_state("grace")

            wait_for(is_culled, 30, "the server is still running an hour after the last input")
            assert page.get_by_role("status").filter(has_text="Refresh is paused").is_visible()


def start_run(hub: Hub, user: str) -> None:
    """Start a run that does not end."""
    headers = {"Authorization": f"token {hub.token(user)}"}
    create = hub.mlflow(user, "/api/2.0/mlflow/runs/create")
    run = {"experiment_id": "0", "run_name": "training", "start_time": 1}

    def is_created() -> bool:  # once MLflow is up
        return hub.session_of(user).post(create, json=run, headers=headers, timeout=30).ok

    wait_for(is_created, 90, "MLflow did not start")


def open_dashboard(hub: Hub, page: Page, user: str) -> None:
    """Log `user` in and open a page that refreshes itself."""
    page.goto(f"{hub.origin}{BASE_URL}hub/login?next={BASE_URL}user/{user}/mlflow/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Experiments").first).to_be_visible(timeout=PATIENCE)
    with page.expect_response("**/runs/search"):
        page.goto(f"{hub.origin}{BASE_URL}user/{user}/mlflow/#/experiments/0/runs")
    runs = page.get_by_text(re.compile("^(Training runs|Runs)$"))  # GenAI, Model training
    expect(runs.first).to_be_visible(timeout=PATIENCE)


@contextmanager
def idle_culler(hub: Hub) -> Iterator[None]:
    """Run jupyterhub-idle-culler."""
    command = [
        sys.executable,
        "-m",
        "jupyterhub_idle_culler",
        f"--url={hub.address}/hub/api",
        f"--timeout={TIMEOUT}",
        "--cull-every=1",
    ]
    home = hub.home / "culler"
    env = environment(home, {"JUPYTERHUB_API_TOKEN": ADMIN_TOKEN})
    with running(command, cwd=home, env=env, log=home / "culler.log"):
        yield
