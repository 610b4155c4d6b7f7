"""One hub for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hub import Hub, hub_server


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A JupyterHub with no server running; tests share it."""
    with hub_server(tmp_path_factory.mktemp("hub")) as server:
        yield server
