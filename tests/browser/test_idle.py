"""A user returns to a dashboard that was open when MLflow was stopped as idle."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Request, expect

from support.browser import PATIENCE, chromium, picture, watch
from support.lab import TOKEN, Lab
from support.waiting import wait_for

pytestmark = pytest.mark.browser
IDLE_TIMEOUT = 30  # seconds; longer than the page takes to load on a busy machine


def test_a_stale_tab_sends_no_requests_until_a_click_restarts_mlflow(
    start_lab: Callable[..., Lab], new_database: Path
) -> None:
    config = f"c.MLflowProxy.idle_timeout = {IDLE_TIMEOUT}"
    lab = start_lab(config=config, database=new_database)
    lab.wait_until("ready")
    run = {"experiment_id": "0", "run_name": "of yesterday", "start_time": 1}
    run_id = lab.api("runs/create", run)["run"]["info"]["run_id"]
    lab.api("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 2})
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE)
        page.clock.install()
        page.goto(f"{lab.mlflow_url}/?token={TOKEN}#/experiments/0/runs")
        row = page.get_by_text("of yesterday").first
        expect(row).to_be_visible()
        lab.wait_until("idle")
        wait_for(lambda: not lab.mlflow_processes())

        sent: list[Request] = []
        page.on("request", lambda request: sent.append(request))  # noqa: PLW0108
        for _ in range(3):  # triggers the refresh that runs every 30 seconds
            page.clock.fast_forward(31_000)
            page.wait_for_timeout(500)
        assert lab.status()["state"] == "idle"
        assert not [request.url for request in sent]
        expect(row).to_be_visible()
        notice = page.get_by_role("status").filter(has_text="Refresh is paused")
        expect(notice).to_be_visible()
        picture(page, "idle-stale")

        troubles = watch(page)
        row.click()
        expect(notice).to_have_count(0)
        bar = page.get_by_role("status").filter(has_text="MLflow was stopped")
        expect(bar).to_contain_text(f"stopped after {IDLE_TIMEOUT} s without use; starting …")
        expect(bar).to_contain_text(re.compile(r"[1-9]\d? %"))
        picture(page, "idle-waking")
        expect(page.get_by_text("Created by", exact=False).first).to_be_visible()
        expect(bar).to_have_count(0)
        picture(page, "idle-back")
        assert lab.status()["state"] == "ready"
        assert not troubles
    assert lab.mlflow_log.read_text().count(f"after {IDLE_TIMEOUT} s without use") >= 1
