"""Settings that keep MLflow from starting: corrected as the page says, it starts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from support.environments import too_old_python
from support.remedies import settings_in
from support.server import jupyter_server, settings_of
from support.wire import wire_server

UNSET = "Set c.MLflowProxy.backend_store_uri to that server as well, or leave registry_store_uri"


def test_each_wrong_setting_is_told_until_all_are_corrected(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    with wire_server() as server:
        good: dict[str, Any] = {"backend_store_uri": server.url, "python": sys.executable}
        database = f"sqlite:///{tmp_path}/elsewhere.db"
        wrong: dict[tuple[str, str], dict[str, Any]] = {
            (
                "c.MLflowProxy.idle_timeout is -5.0; it takes",
                "Correct the Jupyter configuration or command line, then restart Jupyter.",
            ): {"idle_timeout": -5.0},
            (
                "MLflow's interpreter, /no/such/python, cannot be run: No such file or directory.",
                "Correct c.MLflowProxy.python in the Jupyter configuration, then restart Jupyter.",
            ): {"python": "/no/such/python"},
            (
                "MLflow's interpreter ended with exit code 0 and reported nothing.",
                "Check that c.MLflowProxy.python is Python 3.10 or newer.",
            ): {"python": str(too_old_python(tmp_path))},
            (
                "MLflow was not ready within 0.001 seconds.",
                "If the machine or the database is slow, raise c.MLflowProxy.start_timeout,",
            ): {"start_timeout": 0.001},
            (
                "The store URI postgresql://me:***@host/db cannot be read: write %40 for an",
                "Set c.MLflowProxy.backend_store_uri, or the variable that it comes from, ",
            ): {"backend_store_uri": "postgresql://me:hunter@2@host/db"},
            (
                f"The model registry, {server.url}, is a tracking server",
                UNSET,
            ): {"backend_store_uri": database, "registry_store_uri": server.url},
            (
                "MLflow cannot keep its database /sys/no/mlflow.db: ",
                "Make the folder writable. Or choose another place with "
                "c.MLflowProxy.backend_store_uri (and c.MLflowProxy.default_artifact_root), and",
            ): {"backend_store_uri": "sqlite:////sys/no/mlflow.db"},
        }
        for (reason, remedy), settings in wrong.items():
            told = start(home, {**good, **settings}, "failed")
            assert told["reason"].startswith(reason)
            assert told["remedy"].startswith(remedy)
        start(home, good, "ready")
    # The other ways that the last two name: no registry of its own, and another place.
    elsewhere = {"backend_store_uri": database, "default_artifact_root": f"{tmp_path}/elsewhere"}
    assert settings_in(remedy) == [*elsewhere]
    start(home, {**good, **elsewhere}, "ready")
    with closing(connect(tmp_path / "elsewhere.db")) as connection:
        (location,) = connection.execute("SELECT artifact_location FROM experiments").fetchone()
    assert location == f"{tmp_path}/elsewhere/0"


def start(home: Path, settings: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Start Jupyter with `settings`, and MLflow; returns its status in `state`."""
    with jupyter_server(home, settings_of(settings), root=home.parent) as jupyter:
        jupyter.start()
        return jupyter.wait_until(state)
