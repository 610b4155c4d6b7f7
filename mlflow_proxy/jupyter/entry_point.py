"""The description of MLflow for jupyter-server-proxy."""

import atexit
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.serverapp import ServerApp
from jupyter_server_proxy.config import ServerProcess
from traitlets import Union

from mlflow_proxy.shared.addresses import (
    BAD_SETTINGS,
    CONTROL_SOCKET,
    IMPORT_SOCKET,
    LOCAL_CREDENTIAL,
    LOCAL_URL,
    SOCKET_FOLDER,
    log_name,
)
from mlflow_proxy.shared.icon import icon

from . import framing, kernels
from .config import MLflowProxy
from .last_activity import counts_as_activity
from .local_address import LocalAddress, without_proxy
from .settings import settings

# The supervisor answers its first request within a fraction of a second, more on an overloaded
# machine. MLflow's own start does not count (see `start_timeout`).
SUPERVISOR_TIMEOUT = 60  # seconds
MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103  # bytes, see unix(7)


def server_process(
    config: MLflowProxy | None = None, address: LocalAddress | None = None
) -> dict[str, Any]:
    """The entry for jupyter-server-proxy's `ServerProcess`, by default from `settings()`.

    `address` is MLflow's for its own processes; None: the extension is not there to serve one.
    """
    config = config or settings()
    variables = environment(config)
    if address is not None:
        variables.update(address_environment(config, address))
    return {
        "command": [
            *(_literal(part) for part in supervisor_command(config)),
            "--unix-socket={unix_socket}",
        ],
        "environment": {_literal(k): _literal(v) for k, v in variables.items()},
        "unix_socket": unix_socket(),
        "timeout": SUPERVISOR_TIMEOUT,
        # A dashboard inside JupyterLab is a frame.
        "new_browser_tab": config.new_browser_tab or not framing.may_frame_itself(_headers()),
        "launcher_entry": {"title": "MLflow", "icon_path": str(icon())},
        **activity(),
    }


@functools.cache
def unix_socket() -> str:
    """Path on which the supervisor listens, in a private folder that exists as long as Jupyter.

    jupyter-server-proxy would choose a path that may be too long for a socket, and create its
    folder late, when the supervisor's arguments show the path to other users.
    """
    for parent in (tempfile.gettempdir(), "/tmp", jupyter_runtime_dir()):  # noqa: S108
        is_short = len(os.fsencode(parent)) <= MAX_SOCKET_PATH - len(
            f"/{SOCKET_FOLDER}12345678/{CONTROL_SOCKET}"
        )
        if is_short and os.access(parent, os.W_OK):
            break
    folder = tempfile.mkdtemp(prefix=SOCKET_FOLDER, dir=parent)
    atexit.register(_remove, folder, os.getpid())
    return f"{folder}/socket"


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a process that was forked from it
        shutil.rmtree(folder, ignore_errors=True)


def activity() -> dict[str, Any]:
    """What counts as activity, for a jupyter-server-proxy that takes a callable: 4.6 and newer."""
    if not isinstance(ServerProcess.class_traits()["update_last_activity"], Union):
        return {}
    return {"update_last_activity": counts_as_activity}


def log_file() -> Path:
    """The log of MLflow and the supervisor of this Jupyter server."""
    return Path(jupyter_runtime_dir()) / log_name(os.getpid())


def supervisor_command(config: MLflowProxy) -> list[str]:
    """The supervisor's command line. Other users can read it, so it holds no secrets."""
    return [
        sys.executable,
        "-m",
        "mlflow_proxy",
        f"--jupyter-pid={os.getpid()}",
        f"--root-dir={config.root_dir}",
        f"--log-file={log_file()}",
        f"--python={config.python}",
        f"--start-timeout={config.start_timeout:g}",
        f"--mlflow-option=--idle-timeout={config.idle_timeout:g}",
        *(f"--mlflow-variable={name}" for name in config.environment),
        *(["--mlflow-option=--job-execution"] if config.job_execution else []),
    ]


def environment(config: MLflowProxy) -> dict[str, str]:
    """Environment of the supervisor and MLflow, for settings that may hold passwords.

    The names are those that `mlflow server` itself reads.
    """
    return {
        # The extension widens this for kernels; the MLflow process keeps the user's value.
        "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES": os.environ.get(
            "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES", ""
        ),
        # The extension sets these for kernels.
        "MLFLOW_TRACKING_TOKEN": os.environ.get("MLFLOW_TRACKING_TOKEN", ""),
        "MLFLOW_GATEWAY_URI": os.environ.get("MLFLOW_GATEWAY_URI", ""),
        "MLFLOW_TRACKING_URI": config.backend_store_uri,
        **config.environment,
        "MLFLOW_BACKEND_STORE_URI": config.backend_store_uri,
        "MLFLOW_REGISTRY_STORE_URI": config.registry_store_uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": kernels.artifact_root(config),
        "MLFLOW_ARTIFACTS_DESTINATION": kernels.artifacts_destination(config),
        BAD_SETTINGS: " ".join(config.bad_values.values()),
        IMPORT_SOCKET: "",  # MLflow itself imports MLflow, too
    }


def address_environment(config: MLflowProxy, address: LocalAddress) -> dict[str, str]:
    """What MLflow, its jobs and its Assistant need to reach MLflow by HTTP."""
    if config.backend_store.is_remote:
        return {}
    variables = {LOCAL_URL: address.url, LOCAL_CREDENTIAL: address.credential}
    return {**without_proxy({**os.environ, **config.environment}), **variables}


def _headers() -> Mapping[str, str]:
    """The headers of Jupyter's settings."""
    if not ServerApp.initialized():
        return {}
    return cast("Mapping[str, str]", ServerApp.instance().web_app.settings.get("headers", {}))


def _literal(value: str) -> str:
    """Escape `value` for the `str.format` that jupyter-server-proxy applies to every string."""
    return value.replace("{", "{{").replace("}", "}}")
