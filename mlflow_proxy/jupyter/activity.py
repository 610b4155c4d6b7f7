"""What Jupyter counts as activity, and with it a hub's idle culler: use of MLflow, nothing else."""

from __future__ import annotations

from typing import Any

from jupyter_server.utils import url_path_join

from mlflow_proxy.activity import HEADER, is_use


def counts_as_activity(handler: Any) -> bool:
    """Whether the request of jupyter-server-proxy's `handler` is use of MLflow."""
    prefix = url_path_join(handler.base_url, handler.name)
    path = handler.request.path.removeprefix(prefix)
    return is_use(path, handler.request.headers.get(HEADER))
