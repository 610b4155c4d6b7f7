"""The browser that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from support.browser import PATIENCE, chromium


@pytest.fixture(scope="module")
def context() -> Iterator[BrowserContext]:
    """A context that is logged in nowhere; a file may have one of its own in its place."""
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE)
        yield context
