"""A dashboard without input, watched while the test passes the page's time."""

from __future__ import annotations

import time
import uuid

import pytest
from playwright.sync_api import BrowserContext, Request

from .lab import TOKEN, Lab

REFRESH = 31  # seconds, a little more than MLflow's interval
PAUSE = 150  # seconds, a little more than the time to the pause on a hub
NOTICE = "Refresh is paused because this page was not used. Click to resume."
HIDE = """hidden => {
    const state = hidden ? "hidden" : "visible";
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


class Training:
    """A run in `lab` that is still running, in an experiment of its own."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab = lab
        created = lab.api("experiments/create", {"name": uuid.uuid4().hex})
        self.experiment = f"#/experiments/{created['experiment_id']}"
        run = {
            "experiment_id": created["experiment_id"],
            "run_name": name,
            "start_time": int(time.time() * 1000),
        }
        self.id: str = lab.api("runs/create", run)["run"]["info"]["run_id"]
        self.name = name
        for step in range(2):  # MLflow refreshes a curve, not a single value
            metric = {"key": "loss", "value": 1, "timestamp": run["start_time"], "step": step}
            lab.api("runs/log-metric", {"run_id": self.id, **metric})

    def rename(self, name: str) -> None:
        """Change the name, which the table of runs shows."""
        self._lab.api("runs/update", {"run_id": self.id, "run_name": name})

    def end(self, status: str = "FINISHED") -> None:
        """End the run."""
        self._lab.api("runs/update", {"run_id": self.id, "status": status, "end_time": 1})


class Watched:
    """The dashboard of `lab` in a page whose time the test passes."""

    def __init__(self, context: BrowserContext, lab: Lab, address: str) -> None:
        for page in context.pages:  # of earlier tests, which share what is cached of MLflow's page
            page.close()
        self.page = context.new_page()
        self.page.clock.install()
        self.page.goto(f"{lab.mlflow_url}/?token={TOKEN}{address}")
        self.sent: list[Request] = []
        self.page.on("request", lambda request: self.sent.append(request))  # noqa: PLW0108
        self.notice = self.page.get_by_role("status").filter(has_text=NOTICE)

    def pass_time(self, seconds: int) -> list[str]:
        """Pass time, a refresh at a time; returns the addresses of the last refresh."""
        for _ in range(-(-seconds // REFRESH)):
            self.sent.clear()
            self.page.clock.fast_forward(1000 * REFRESH)
            self.settle()
        return [request.url for request in self.sent]

    def settle(self) -> None:
        """Wait until the page sends no more requests."""
        count = -1
        while count < len(self.sent):
            count = len(self.sent)
            for request in list(self.sent):
                request.response()
            self.page.wait_for_timeout(200)

    def pass_time_until_paused(self, most: int) -> None:
        """Pass at most so many seconds, until a refresh is held."""
        for _ in range(most // REFRESH):
            if not self.pass_time(REFRESH) and self.notice.is_visible():
                return
        pytest.fail(f"not paused: {[request.url for request in self.sent]}")

    def hide(self, hidden: bool) -> None:
        """Hide the page as another tab in front of it would, or show it again."""
        self.page.evaluate(HIDE, hidden)
