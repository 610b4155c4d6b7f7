"""What docs/upstream says to click in MLflow's own dashboard does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from support.dashboard import NOTICES
from support.processes import environment, family_of, free_ports
from support.waiting import wait_for

pytestmark = pytest.mark.browser
UPSTREAM = Path(__file__).parents[2] / "docs" / "upstream"
OPEN = re.compile(r"Open (http\S+/#/[\w/]+)")


@contextmanager
def opened(context: BrowserContext, name: str, home: Path) -> Iterator[tuple[Page, list[str]]]:
    """The page that the program `name` says to open, and what `alert` shows from then on."""
    variables = environment(home, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    port = free_ports(1)[0]
    log = home / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-u", UPSTREAM / name, str(port)],
            cwd=home,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as program,
    ):
        assert program.stdin
        try:
            assert wait_for(lambda: "Seen: " in log.read_text() or program.poll() is not None, 120)
            (url,) = OPEN.findall(log.read_text())
            shown: list[str] = []
            context.on("dialog", lambda dialog: (shown.append(dialog.message), dialog.accept()))
            page = context.new_page()
            notice = page.get_by_role("button", name=NOTICES).first
            page.add_locator_handler(notice, lambda button: button.dispatch_event("click"))
            page.goto(url)
            yield page, shown
            page.close()
        finally:
            family = family_of(program.pid)[1:]
            program.stdin.write(b"\n")  # Enter
            program.stdin.flush()
            assert program.wait(30) == 0, log.read_text()
            wait_for(lambda: not any(each.is_running() for each in family))


def wait_for_alert(page: Page, shown: list[str]) -> None:
    """Wait for the alert with MLflow's origin; Playwright handles events while it waits."""
    wait_for(lambda: page.wait_for_timeout(50) or shown)
    assert set(shown) == {page.evaluate("origin")}  # a view may be drawn twice


def test_the_source_of_a_run_may_be_a_script(context: BrowserContext, tmp_path: Path) -> None:
    with opened(context, "mlflow_source_link.py", tmp_path) as (page, shown):
        page.get_by_role("link", name="train.py").click()
        wait_for_alert(page, shown)


def test_a_custom_view_of_traces_may_open_a_script(context: BrowserContext, tmp_path: Path) -> None:
    with opened(context, "mlflow_custom_view.py", tmp_path) as (page, shown):
        page.get_by_text("click me").first.click()
        page.get_by_role("button", name="Default view").filter(visible=True).click()
        page.get_by_role("menu").get_by_text("A view", exact=True).click()
        wait_for_alert(page, shown)
