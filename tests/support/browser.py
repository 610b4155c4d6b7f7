"""Chromium and screenshots."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from support.lab import TOKEN, Lab

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
VIOLATION = "Against the page's policy:"
TELL_OF_VIOLATIONS = f"""addEventListener("securitypolicyviolation", (event) => console.error(
    "{VIOLATION}", event.effectiveDirective, event.blockedURI, event.sourceFile, event.columnNumber
))"""

# Errors that MLflow's dashboard also has with `mlflow server`.
MLFLOWS_OWN = re.compile(
    "/users/current$"  # 404 where there are no accounts
    "|/presigned-download-url$"  # 501 for artifacts in a folder; the page then loads them directly
    r"|^501 \S+[?&]presigned=true$"  # the same, from 3.18
    # From 3.18, while the first GraphQL request imports the modules of these endpoints:
    r"|^500 \S+/assistant/(config|providers)$"
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


def run_cell(context: BrowserContext, lab: Lab, code: str, name: str = "") -> Page:
    """Run `code` in a new notebook of one cell in JupyterLab; returns its page, without waiting.

    The cell is not typed: JupyterLab drops input before the kernel is ready.
    """
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    notebook = {
        "cells": [{**cell, "source": code}],
        "metadata": {"kernelspec": {"display_name": "Python 3", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    name = f"{name or uuid.uuid4().hex}.ipynb"
    (lab.root / name).write_text(json.dumps(notebook))
    page = context.new_page()
    page.goto(f"{lab.url}/lab/tree/{name}?token={TOKEN}&reset")
    expect(page.get_by_text(re.compile(r"Python 3.*\| Idle"))).to_be_visible()  # the status bar
    page.get_by_role("button", name="Restart the kernel and run all cells").click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    return page


def picture(page: Page, name: str) -> Path:
    """Store a screenshot of `page` as `test-results/<name>.png`; returns its path."""
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    return path


def watch(page: Page) -> list[str]:
    """Collect errors and failed requests of `page` from now on.

    Policy violations are included, with the text `VIOLATION`, from the next page load on.
    """
    troubles: list[str] = []

    def note(trouble: str) -> None:
        if not MLFLOWS_OWN.search(trouble):
            troubles.append(trouble)

    def console(message: ConsoleMessage) -> None:
        # The response handler records failed responses with their URLs.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            note(message.text)

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # requests canceled by navigation
            note(f"{request.failure} {request.url}")

    page.add_init_script(TELL_OF_VIOLATIONS)
    page.on("console", console)
    page.on("pageerror", lambda error: note(str(error)))
    page.on("requestfailed", failed)
    page.on("response", lambda r: r.status >= 400 and note(f"{r.status} {r.url}"))
    return troubles
