"""Fixtures: real servers that clean up behind themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.lab import Lab, lab_server

SHARED = ("examples", "hub")  # folders whose tests share one server


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, where several run (pytest-xdist)."""
    for item in items:
        folder = item.path.parent
        group = folder if folder.name in SHARED else item.path
        item.add_marker(pytest.mark.xdist_group(str(group)))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with no configuration at all, MLflow up; tests share it and its store."""
    with lab_server(tmp_path_factory.mktemp("lab")) as server:
        server.wait_until("ready")
        yield server


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Start a JupyterLab of the test's own; takes what `lab_server` takes."""
    with ExitStack() as stack:

        def start(home: Path | None = None, **options: Any) -> Lab:
            server: AbstractContextManager[Lab] = lab_server(home or tmp_path, **options)
            return stack.enter_context(server)

        yield start
