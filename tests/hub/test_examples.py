"""The example notebook that looks up the Lab's URL works on a hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.hub import Hub

pytestmark = pytest.mark.hub
NOTEBOOK = Path(__file__).parents[2] / "examples" / "registry-and-deployment.ipynb"

ASK = """
url, headers = this_lab()
print(url, requests.get(f"{url}api/status", headers=headers, timeout=30).status_code)
"""


def test_a_notebook_on_a_hub_reaches_its_own_lab(hub: Hub) -> None:
    cells = {
        cell["id"]: "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"]
    }
    hub.start_server("bob")
    printed = hub.run_in_kernel("bob", "\n".join([cells["imports"], cells["lab"], ASK]))
    url, status = printed.split()
    assert url.endswith("/user/bob/")
    assert status == "200"
