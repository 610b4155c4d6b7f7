"""Fixtures: real servers with cleanup."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from support.lab import Lab, lab_server
from support.server import pool

# A shell ignores SIGINT for what it runs in the background, and programs inherit that: JupyterHub's
# services would then take 15 seconds to end.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = ("tests/examples", "tests/hub")  # folders whose tests share one server


class ByServer(LoadFileScheduling):
    """Assigns the tests of a file, or of a folder in `SHARED`, to one xdist worker."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder in SHARED else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer:
    """Return the scheduler that assigns tests to workers."""
    return ByServer(config, log)


@pytest.fixture(scope="session", autouse=True)
def _shared_servers() -> Iterator[None]:
    """End the servers of support/server.py with the session."""
    yield
    pool.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab without configuration, with MLflow ready; tests share it and its store."""
    with lab_server(tmp_path_factory.mktemp("lab")) as server:
        server.wait_until("ready")
        yield server


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """A function that starts a JupyterLab for one test; it takes the options of `lab_server`."""
    with ExitStack() as stack:

        def start(home: Path | None = None, **options: Any) -> Lab:
            server: AbstractContextManager[Lab] = lab_server(home or tmp_path, **options)
            return stack.enter_context(server)

        yield start
