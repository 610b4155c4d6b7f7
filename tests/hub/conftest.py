"""The hub that these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hub import Hub, hub_server


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A JupyterHub without running user servers; shared by the tests."""
    with hub_server(tmp_path_factory.mktemp("hub")) as server:
        yield server
