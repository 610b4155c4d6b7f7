"""MLflow in Jupyter: a tile, a supervisor and MLflow itself, in three layers.

- `mlflow_proxy.jupyter` runs in the Jupyter server: settings, tile, route, kernels' environment.
- `mlflow_proxy.supervisor` is a process of jupyter-server-proxy: the socket, the pages, MLflow's
  life.
- `mlflow_proxy.server` is the MLflow process.

Each layer starts the next and imports nothing of it; all may import `mlflow_proxy.shared`. MLflow
loads `mlflow_proxy.notebook` in kernels. All of them import this module, so it defers its own
imports.
"""

from typing import Any

from ._version import __version__

__all__ = ["__version__", "setup_mlflow"]


def setup_mlflow() -> dict[str, Any]:
    """Describe MLflow to jupyter-server-proxy (entry point `jupyter_serverproxy_servers`)."""
    from .jupyter.entry_point import server_process  # noqa: PLC0415

    return server_process()


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .jupyter.application import MLflowProxyApp  # noqa: PLC0415

    return [{"module": "mlflow_proxy", "app": MLflowProxyApp}]
