"""MLflow's icon, for the tile and the supervisor's pages."""

from importlib import import_module
from pathlib import Path


def icon() -> Path:
    """Path of the icon, wherever the installation keeps it.

    An editable install maps the package `mlflow_proxy.icons` to a folder elsewhere. The package's
    path says where; `importlib.resources` would cost the supervisor 2 MB of memory.
    """
    return Path(import_module("mlflow_proxy.icons").__path__[0]) / "mlflow.svg"
