"""What jupyter-server-proxy is told about MLflow."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server_proxy.config import ServerProcess
from traitlets import Union

from .activity import counts_as_activity
from .config import MLflowProxy, settings

ICON = Path(__file__).parents[1] / "icons" / "mlflow.svg"

# The supervisor answers its first request within a fraction of a second; this much is for a
# machine that is on its knees. MLflow's own start does not count (see `start_timeout`).
SUPERVISOR_TIMEOUT = 60
MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103  # bytes, see unix(7)


def server_process(config: MLflowProxy | None = None) -> dict[str, Any]:
    """The entry for jupyter-server-proxy's `ServerProcess`, by default from `settings()`.

    Raises:
        traitlets.TraitError: a setting has a value it cannot have.
    """
    config = config or settings()
    return {
        "command": [
            *(_literal(part) for part in supervisor_command(config)),
            "--unix-socket={unix_socket}",
        ],
        "environment": {_literal(k): _literal(v) for k, v in environment(config).items()},
        "unix_socket": unix_socket(),
        "timeout": SUPERVISOR_TIMEOUT,
        "new_browser_tab": config.new_browser_tab,
        "launcher_entry": {"title": "MLflow", "icon_path": str(ICON)},
        **activity(),
    }


@functools.cache
def unix_socket() -> bool | str:
    """Where the supervisor listens; True: where jupyter-server-proxy has it.

    That is a new folder among the temporary files, whose path may be too long for a socket.
    """
    paths = [
        Path(folder) / f"jupyter-server-proxy-{uuid.uuid4().hex[:8]}" / "socket"
        for folder in (tempfile.gettempdir(), "/tmp", jupyter_runtime_dir())  # noqa: S108
        if os.access(folder, os.W_OK)
    ]
    fitting = [path for path in paths if len(os.fsencode(path)) <= MAX_SOCKET_PATH]
    return not fitting or fitting[0] == paths[0] or str(fitting[0])


def activity() -> dict[str, Any]:
    """What counts as activity, for a jupyter-server-proxy that asks: 4.6 and newer."""
    if not isinstance(ServerProcess.class_traits()["update_last_activity"], Union):
        return {}
    return {"update_last_activity": counts_as_activity}


def log_file() -> Path:
    """Where MLflow and the supervisor of this Jupyter server write their log."""
    return Path(jupyter_runtime_dir()) / f"mlflow-proxy-{os.getpid()}.log"


def supervisor_command(config: MLflowProxy) -> list[str]:
    """The supervisor's command line, which anyone on the machine can read: no secrets here."""
    return [
        sys.executable,
        "-m",
        "mlflow_proxy",
        f"--jupyter-pid={os.getpid()}",
        f"--root-dir={config.root_dir}",
        f"--log-file={log_file()}",
        f"--python={config.python}",
        f"--start-timeout={config.start_timeout:g}",
        f"--idle-timeout={config.idle_timeout:g}",
    ]


def environment(config: MLflowProxy) -> dict[str, str]:
    """What the supervisor and MLflow find in their environment: URIs may hold passwords.

    The names are those that `mlflow server` itself reads.
    """
    return {
        # The extension widens this one for kernels; MLflow's own process keeps what the user chose.
        "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES": os.environ.get(
            "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES", ""
        ),
        **config.environment,
        "MLFLOW_BACKEND_STORE_URI": config.backend_store_uri,
        "MLFLOW_REGISTRY_STORE_URI": config.registry_store_uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": config.default_artifact_root,
    }


def _literal(value: str) -> str:
    """Escape `value` for the `str.format` that jupyter-server-proxy runs over every string."""
    return value.replace("{", "{{").replace("}", "}}")
