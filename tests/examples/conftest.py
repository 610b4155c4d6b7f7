"""One Lab in which the example notebooks run."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support.browser import chromium
from support.dashboard import Dashboard, log_in
from support.kernel import Printed, run_notebook
from support.lab import TOKEN, Lab, lab_server

NOTEBOOKS = Path(__file__).parents[2] / "examples"
TIMEOUT = 120.0  # seconds per notebook


class Execution(NamedTuple):
    """How a notebook ran."""

    seconds: float
    printed: list[Printed]  # one per code cell


Executed = Callable[[str], Execution]


@pytest.fixture(scope="session")
def examples_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab without configuration, on a folder with the notebooks."""
    home = tmp_path_factory.mktemp("examples")
    shutil.copytree(NOTEBOOKS, home / "work")
    with lab_server(home) as server:
        yield server


@pytest.fixture(scope="session")
def executed(examples_lab: Lab) -> Executed:
    """Function that runs the named notebook from top to bottom; once a session for each."""

    @functools.cache
    def execute(name: str) -> Execution:
        began = time.monotonic()
        notebook = examples_lab.root / f"{name}.ipynb"
        printed = run_notebook(examples_lab.url, TOKEN, notebook, TIMEOUT)
        return Execution(time.monotonic() - began, printed)

    return execute


@pytest.fixture(scope="module")
def tab(
    request: pytest.FixtureRequest, examples_lab: Lab, executed: Executed
) -> Iterator[Dashboard]:
    """The dashboard in Chromium, once the module's NOTEBOOKS have run."""
    for name in request.module.NOTEBOOKS:
        executed(name)  # before Chromium: Playwright allows no second event loop
    examples_lab.wait_until("ready")
    with chromium() as browser:
        yield Dashboard(log_in(browser, examples_lab).new_page(), examples_lab)


@pytest.fixture
def dashboard(tab: Dashboard) -> Iterator[Dashboard]:
    """The dashboard; asserts that there were no errors, and clears its local storage afterwards."""
    yield tab
    tab.page.evaluate("localStorage.clear()")
    troubles = tab.troubles.copy()
    tab.troubles.clear()
    assert not troubles
