"""Reverse proxies and framing pages that Jupyter's configuration allows."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from support.browser import chromium, picture
from support.lab import TOKEN, Lab, lab_server
from support.nginx import nginx_server
from support.processes import free_ports

pytestmark = pytest.mark.browser
CREATE = "**/ajax-api/2.0/mlflow/experiments/create"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def create_experiment(page: Page, origin: str, name: str) -> int:
    """Create an experiment in the dashboard; returns the status of the request."""
    page.goto(f"{origin}/mlflow/?token={TOKEN}#/experiments")
    page.get_by_role("button", name="Create", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Experiment Name").fill(name)
    with page.expect_response(CREATE) as response:
        dialog.get_by_role("button", name="Create").click()
    return response.value.status


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve a site of another origin; yields the origin."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Allowed(NamedTuple):
    """A Jupyter server, and the origins that its configuration allows."""

    lab: Lab
    port: int
    """Of pages that may write."""
    site: str
    """That may frame the dashboard."""


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Allowed]:
    home = tmp_path_factory.mktemp("lab")
    (home / "site").mkdir()
    (port,) = free_ports(1)
    with site(home / "site") as origin:
        policy = f"frame-ancestors 'self' {origin}"
        config = f"""
c.ServerApp.allow_origin = "http://localhost:{port}"
c.ServerApp.tornado_settings = {{"headers": {{"Content-Security-Policy": "{policy}"}}}}
"""
        with lab_server(home, config=config, database=new_database) as lab:
            yield Allowed(lab, port, origin)


def write_course(lab: Lab, folder: Path) -> str:
    """Write a page that frames the dashboard into `folder`; returns the address of Jupyter."""
    jupyter = lab.url.replace("127.0.0.1", "localhost")
    frame = f'<iframe src="{jupyter}/mlflow/" width="1000" height="700"></iframe>'
    (folder / "course.html").write_text(f"<title>Course</title>{frame}")
    return jupyter


def test_a_page_that_jupyter_allows_may_frame_the_dashboard(
    allowed: Allowed, browser: Browser
) -> None:
    jupyter = write_course(allowed.lab, allowed.lab.home / "site")
    with browser.new_context() as context:
        assert context.request.get(f"{jupyter}/api/status?token={TOKEN}").ok
        page = context.new_page()
        page.goto(f"{allowed.site}/course.html")
        shown = page.frame_locator("iframe")  # the loading page first, then the dashboard
        expect(shown.get_by_text("Experiments").first).to_be_visible()
        picture(page, "framed-by-another-site")


def test_another_page_may_not(allowed: Allowed, tmp_path: Path, browser: Browser) -> None:
    allowed.lab.wait_until("ready")
    jupyter = write_course(allowed.lab, tmp_path)
    with site(tmp_path) as origin, browser.new_context() as context:
        assert context.request.get(f"{jupyter}/api/status?token={TOKEN}").ok
        page = context.new_page()
        page.goto(f"{origin}/course.html")
        expect(page).to_have_title("Course")
        page.wait_for_load_state("networkidle")
        assert (
            not page.frame_locator("iframe").get_by_text(re.compile("MLflow|Experiments")).count()
        )


@pytest.mark.parametrize(
    ("headers", "is_port", "status"),
    [("", True, 200), ("", False, 403), ("proxy_set_header Host $http_host;", False, 200)],
    ids=["origin", "another", "host"],
)
def test_the_dashboard_works_behind_nginx_where_jupyter_does(
    allowed: Allowed,
    tmp_path: Path,
    browser: Browser,
    *,
    headers: str,
    is_port: bool,
    status: int,
) -> None:
    allowed.lab.wait_until("ready")
    port = allowed.port if is_port else free_ports(1)[0]
    name = f"through nginx {port}"
    with (
        nginx_server(tmp_path / "nginx", allowed.lab.url, headers, port=port) as origin,
        browser.new_context() as context,
    ):
        page = context.new_page()
        assert create_experiment(page, origin, name) == status
        if status == 200:
            expect(page.get_by_text(name).first).to_be_visible()
