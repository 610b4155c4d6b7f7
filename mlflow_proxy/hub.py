"""Whether JupyterHub is at work; for the Jupyter server and the MLflow process."""

import os


def is_on_hub() -> bool:
    """Whether JupyterHub started this Jupyter server; its processes inherit the environment."""
    return "JUPYTERHUB_SERVICE_PREFIX" in os.environ
