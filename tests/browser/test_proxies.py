"""Reverse proxies and framing pages that Jupyter's configuration allows."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from support.browser import chromium, picture
from support.lab import TOKEN, Lab
from support.nginx import nginx_server
from support.processes import free_ports

StartLab = Callable[..., Lab]
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


@pytest.mark.browser
@pytest.mark.parametrize(
    ("headers", "setting", "status"),
    [
        ("", "allow_origin = '{origin}'", 200),
        ("", "allow_origin = 'https://lab.example.org'", 403),
        ("proxy_set_header Host $http_host;", "allow_origin = ''", 200),
    ],
    ids=["origin", "another", "host"],
)
def test_the_dashboard_works_behind_nginx_where_jupyter_does(
    start_lab: StartLab,
    tmp_path: Path,
    browser: Browser,
    *,
    headers: str,
    setting: str,
    status: int,
) -> None:
    port, upstream = free_ports(2)
    config = f"c.ServerApp.{setting.format(origin=f'http://localhost:{port}')}"
    lab = start_lab(config=config, port=upstream)
    lab.wait_until("ready")
    with (
        nginx_server(tmp_path / "nginx", lab.url, headers, port=port) as origin,
        browser.new_context() as context,
    ):
        page = context.new_page()
        assert create_experiment(page, origin, "through nginx") == status
        if status == 200:
            expect(page.get_by_text("through nginx").first).to_be_visible()


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


@pytest.mark.browser
@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_page_may_frame_the_dashboard_where_jupyter_allows_it(
    start_lab: StartLab, tmp_path: Path, browser: Browser, is_allowed: bool
) -> None:
    (tmp_path / "site").mkdir()
    with site(tmp_path / "site") as origin, browser.new_context() as context:
        ancestors = f"frame-ancestors 'self' {origin}" if is_allowed else "frame-ancestors 'self'"
        headers = {"headers": {"Content-Security-Policy": ancestors}}
        lab = start_lab(config=f"c.ServerApp.tornado_settings = {headers!r}")
        jupyter = lab.url.replace("127.0.0.1", "localhost")
        url = f"{jupyter}/mlflow"
        frame = f'<title>Course</title><iframe src="{url}/" width="1000" height="700"></iframe>'
        (tmp_path / "site" / "course.html").write_text(frame)
        assert context.request.get(f"{jupyter}/lab?token={TOKEN}").ok
        page = context.new_page()
        page.goto(f"{origin}/course.html")
        shown = page.frame_locator("iframe")
        if is_allowed:  # the loading page first, then the dashboard
            expect(shown.get_by_text("Experiments").first).to_be_visible()
            picture(page, "framed-by-another-site")
        else:
            lab.wait_until("ready")
            page.reload()
            expect(page).to_have_title("Course")
            assert not shown.get_by_text(re.compile("MLflow|Experiments")).count()
