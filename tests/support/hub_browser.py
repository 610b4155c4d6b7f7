"""A browser for the hub, under its public host name."""

from __future__ import annotations

from contextlib import AbstractContextManager

from playwright.sync_api import Browser, Page

from .browser import chromium
from .hub import BASE_URL, HOST, PASSWORD, Hub

TIMEOUT = 60_000  # milliseconds for a page to load


def browser_of(hub: Hub) -> AbstractContextManager[Browser]:
    """A browser to which `hub` is as one with HTTPS."""
    return chromium(
        f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
        # As with HTTPS, the browser then sends `Sec-Fetch-Mode`, for which JupyterHub requires an
        # XSRF token.
        f"--unsafely-treat-insecure-origin-as-secure={hub.origin}",
    )


def log_in(page: Page, hub: Hub, user: str) -> None:
    """Log `user` in and wait for JupyterLab."""
    page.goto(f"{hub.origin}{BASE_URL}")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/user/{user}/lab**", timeout=TIMEOUT)
