"""Settings that keep MLflow from starting: corrected as the page says, it starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from support.server import jupyter_server, settings_of
from support.wire import wire_server

UNSET = "Set c.MLflowProxy.backend_store_uri to that server as well, or leave registry_store_uri"


def test_each_wrong_setting_is_told_until_all_are_corrected(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    with wire_server() as server:
        good: dict[str, Any] = {"backend_store_uri": server.url, "python": sys.executable}
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
            ): {
                "backend_store_uri": f"sqlite:///{tmp_path}/mlflow.db",
                "registry_store_uri": server.url,
            },
        }
        for (reason, remedy), settings in wrong.items():
            config = settings_of({**good, **settings})
            with jupyter_server(home, config, root=tmp_path) as jupyter:
                jupyter.start()
                told = jupyter.wait_until("failed")
                assert told["reason"].startswith(reason)
                assert told["remedy"].startswith(remedy)
        with jupyter_server(home, settings_of(good), root=tmp_path) as jupyter:
            jupyter.start()
            jupyter.wait_until("ready")
