"""MLflow in Jupyter: two programs that speak HTTP.

The Jupyter server describes MLflow to jupyter-server-proxy (`plugin`), runs it (`life`, `process`)
and answers while it is not ready (`web`). It never imports `mlflow`. `server` is the MLflow
process, `notebook` is what MLflow loads in kernels. All of them import this module, so it defers
its own imports.
"""

from typing import Any

__all__ = ["setup_mlflow"]


def setup_mlflow() -> dict[str, Any]:
    """Describe MLflow to jupyter-server-proxy (entry point `jupyter_serverproxy_servers`)."""
    from .plugin import server_process  # noqa: PLC0415

    return server_process()


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .plugin import MLflowProxyApp  # noqa: PLC0415

    return [{"module": "mlflow_proxy", "app": MLflowProxyApp}]


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version  # noqa: PLC0415

    return version("jupyter-mlflow-proxy")
