"""Chromium, and pictures of what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = Path(__file__).parents[2] / "test-results"
PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE)

# What MLflow's dashboard has to complain of on MLflow's own server, too.
MLFLOWS_OWN = re.compile(
    "/users/current$"  # 404 where there are no accounts
    "|/presigned-download-url$"  # 501 for artifacts in a folder; it then downloads them itself
    "|ResizeObserver loop"  # layouts that take Chromium more than one frame
)


@contextmanager
def chromium(*extra_args: str) -> Iterator[Browser]:
    """Run Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*CHROMIUM_ARGS, *extra_args]
        )
        try:
            yield browser
        finally:
            browser.close()


def picture(page: Page, name: str) -> Path:
    """Store what `page` shows as `test-results/<name>.png`; returns its path."""
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    return path


def watch(page: Page) -> list[str]:
    """Collect from now on what goes wrong in `page`: errors, and requests without a good answer."""
    troubles: list[str] = []

    def note(trouble: str) -> None:
        if not MLFLOWS_OWN.search(trouble):
            troubles.append(trouble)

    def console(message: ConsoleMessage) -> None:
        # The answers are noted themselves, with their addresses.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            note(message.text)

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a page that is left had not loaded yet
            note(f"{request.failure} {request.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: note(str(error)))
    page.on("requestfailed", failed)
    page.on("response", lambda r: r.status >= 400 and note(f"{r.status} {r.url}"))
    return troubles
