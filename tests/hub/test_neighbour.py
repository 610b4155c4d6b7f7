"""A page of another user on a hub with one domain: it has the same origin as the user's pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from support.browser import PATIENCE, chromium
from support.hub import BASE_URL, HOST, PASSWORD, Hub

pytestmark = [pytest.mark.hub, pytest.mark.browser]

EVIL = "c.ServerApp.extra_static_paths = [{folder!r}]\n"
WITHOUT_EXTENSION = 'c.ServerApp.jpserver_extensions = {"mlflow_proxy": False}\n'
SEARCH = "ajax-api/2.0/mlflow/experiments/search?max_results=5"
CREATE = "ajax-api/2.0/mlflow/experiments/create"
READ = "url => fetch(url).then(answer => answer.status)"
WRITE = """url => fetch(url, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({name: `of a neighbour ${Math.random()}`}),
}).then(answer => answer.status)"""
# `sandbox` disables scripts, so that the framed page cannot protect itself with one.
FRAME = """async ([url, sandbox]) => {
    const frame = document.createElement("iframe");
    if (sandbox) frame.sandbox = "allow-same-origin";
    frame.src = url;
    const loaded = new Promise((resolve) => { frame.onload = resolve; });
    document.body.append(frame);
    await loaded;
    try {
        return frame.contentDocument.cookie;
    } catch {
        return "";
    } finally {
        frame.remove();
    }
}"""
PAGES = (
    "",
    "_proxy/status",
    "_proxy/control",
    "_proxy/control/log",
    "_proxy_dashboard",
    "_proxy/artifact_frame",
    "version",
    SEARCH,
    "get-artifact?path=a&run_uuid=b",
    "static-files/index.html",
    "static-files/lib/notebook-trace-renderer/index.html",
    "no/such/page",
)


@pytest.fixture(scope="module")
def browser(hub: Hub) -> Iterator[Browser]:
    """A browser that sends `Sec-Fetch-Mode`, as with HTTPS on a real hub."""
    secure = f"--unsafely-treat-insecure-origin-as-secure={hub.origin}"
    with chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1", secure) as running:
        yield running


@pytest.fixture(scope="module")
def mallory(hub: Hub) -> str:
    """The URL of a page on the server of a hostile user."""
    folder = hub.home / "mallory" / "pages"
    folder.mkdir(parents=True)
    (folder / "evil.html").write_text("<!doctype html><title>Evil</title><body>")
    configure(hub, "mallory", EVIL.format(folder=str(folder)))
    hub.start_server("mallory")
    return f"{hub.origin}{BASE_URL}user/mallory/static/evil.html"


def configure(hub: Hub, user: str, config: str) -> None:
    folder = hub.home / user / "config"
    folder.mkdir(parents=True)
    (folder / "jupyter_server_config.py").write_text(f"c = get_config()\n{config}")


def visit(hub: Hub, browser: Browser, user: str, evil: str) -> Page:
    """Log `user` in, open the dashboard, then the hostile page."""
    hub.start_server(user)
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{hub.origin}{BASE_URL}hub/login?next={BASE_URL}user/{user}/mlflow/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Experiments").first).to_be_visible()
    page.goto(evil)
    expect(page).to_have_title("Evil")
    return page


def test_another_users_page_cannot_read_write_or_get_the_token(
    hub: Hub, browser: Browser, mallory: str
) -> None:
    page = visit(hub, browser, "grace", mallory)
    mlflow = f"{BASE_URL}user/grace/mlflow/"
    assert page.evaluate(READ, mlflow + SEARCH) == 403
    assert page.evaluate(READ, f"{mlflow}static-files/..%2f{SEARCH}") == 403
    assert page.evaluate(WRITE, mlflow + CREATE) == 403
    assert page.evaluate(READ, f"{mlflow}_proxy/control") == 403
    assert page.evaluate(WRITE, f"{mlflow}_proxy/control/stop") == 403
    for path in PAGES:
        for sandbox in (False, True):
            assert "_xsrf" not in page.evaluate(FRAME, [mlflow + path, sandbox]), path


def test_another_users_page_succeeds_without_the_extension(
    hub: Hub, browser: Browser, mallory: str
) -> None:
    """The control case: jupyter-server-proxy's own route does not block these requests."""
    configure(hub, "heidi", WITHOUT_EXTENSION)
    page = visit(hub, browser, "heidi", mallory)
    mlflow = f"{BASE_URL}user/heidi/mlflow/"
    assert page.evaluate(WRITE, mlflow + CREATE) == 200
    assert "_xsrf" in page.evaluate(FRAME, [mlflow, True])
