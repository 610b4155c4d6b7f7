"""The page that stands in for the dashboard: its theme, and what it shows of a failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlflow_proxy.addresses import THEME_KEY
from support.browser import PATIENCE, chromium, picture
from support.databases import NEWER, run
from support.lab import TOKEN
from support.server import Server, mlflow_of, server_of

pytestmark = pytest.mark.browser
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(17, 23, 28)", "rgb(255, 255, 255)"
COMMAND = f"{sys.executable} -m pip install --upgrade mlflow"
OF_A_NEWER_MLFLOW = f"""
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("CREATE TABLE alembic_version (version_num TEXT)")
database.execute("INSERT INTO alembic_version VALUES ('{NEWER}')")
database.commit()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose database is of a newer release of MLflow."""
    folder = tmp_path_factory.mktemp("work")
    run(OF_A_NEWER_MLFLOW, str(folder / "mlflow.db"))
    with mlflow_of(folder) as server:
        server.wait_until("failed")
        yield server


def open_page(context: BrowserContext, server: Server) -> Page:
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{server.lab.mlflow_url}/?token={TOKEN}")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_failure_is_explained_with_a_command_to_copy(
    browser: Browser, failed: Server, scheme: str
) -> None:
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": 400, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = open_page(context, failed)
    expect(page.get_by_role("alert")).to_contain_text("is of a newer MLflow than this one")
    expect(page).to_have_title("MLflow could not start")
    assert "%23b3261e" in str(page.locator("link[rel=icon]").get_attribute("href"))
    command = page.get_by_label("Command")
    expect(command).to_have_text(COMMAND)
    assert command.evaluate("e => [e.scrollWidth > e.clientWidth, e.scrollHeight]") == [
        True,
        command.evaluate("e => e.clientHeight"),  # one line, which scrolls
    ]
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    picture(page, f"failed-narrow-{scheme}")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == COMMAND

    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("is of a newer MLflow than this one")
    expect(page).to_have_title("MLflow could not start")
    picture(page, f"failed-again-{scheme}")
    context.close()


def test_a_command_is_selected_where_there_is_no_clipboard(
    browser: Browser, failed: Server
) -> None:
    context = browser.new_context()
    context.add_init_script("delete Navigator.prototype.clipboard")  # as without HTTPS
    page = open_page(context, failed)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == COMMAND
    context.close()


@pytest.mark.parametrize(
    ("scheme", "stored", "colour"),
    [
        ("light", "true", DARK),
        ("dark", "false", LIGHT),
        ("dark", None, DARK),
        ("light", None, LIGHT),
    ],
)
def test_the_theme_is_that_of_the_dashboard(
    browser: Browser, failed: Server, scheme: str, stored: str | None, colour: str
) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = open_page(context, failed)
    if stored:
        page.evaluate("([key, value]) => localStorage.setItem(key, value)", [THEME_KEY, stored])
        page.reload()
    assert page.evaluate(BACKGROUND) == colour
    if not stored:
        page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
        # The event comes with the next frame.
        page.wait_for_function(f"colour => {BACKGROUND} !== colour", arg=colour)
    context.close()


def test_a_start_that_the_user_stops_goes_on_when_the_user_wants(
    browser: Browser, tmp_path: Path
) -> None:
    with server_of("hang", tmp_path, start_timeout=60.0) as server:
        context = browser.new_context()
        page = open_page(context, server)
        expect(page.get_by_role("progressbar")).to_be_visible()
        server.stop()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("MLflow is stopped")
        expect(alert).to_contain_text("Stopped by the user.")
        expect(page).to_have_title("MLflow")
        assert server.status()["state"] == "idle"
        picture(page, "stopped")
        page.get_by_role("button", name="Start MLflow").click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        context.close()
