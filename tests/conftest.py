"""Fixtures: real servers that clean up behind themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from support.lab import Lab, lab_server

SHARED = ("tests/examples", "tests/hub")  # whose tests share one server


class ByServer(LoadFileScheduling):
    """Keeps a file's tests in one process, where several run, and those of `SHARED` folders."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in SHARED else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer:
    """Which process runs which tests."""
    return ByServer(config, log)


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
