"""The entry point for jupyter-server-proxy, and the Jupyter server extension, which takes over."""

import os
import re
import shutil
from datetime import datetime, timezone
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.config import ServerProxy
from prometheus_client import REGISTRY
from tornado.web import ErrorHandler, url
from traitlets import Unicode

from . import kernels, prestart
from .addresses import BAD_SETTINGS, NAME
from .assets import icon
from .config import MLflowProxy, settings
from .life import Life
from .log import log_file, set_up_logging
from .process import MLflowCommand, jupyters_variables
from .status import Status
from .stores import SQLite
from .web import control
from .web.access import may_frame_itself
from .web.handler import mlflow_handler
from .web.local_address import LocalAddress, without_proxy

SERVER = Path(__file__).with_name("server")
LAB_EXTENSION = "jupyter-mlflow-proxy"  # its name, in lab/package.json


def server_process(config: MLflowProxy | None = None) -> dict[str, Any]:
    """The entry for jupyter-server-proxy's `ServerProcess`, by default from `settings()`."""
    config = config or settings()
    command = [*mlflow_command(config), "--unix-socket={unix_socket}"]
    blank = dict.fromkeys(jupyters_variables(os.environ), "")
    variables = {**blank, **environment(config)}
    return {
        "command": [*map(_literal, command[:-1]), command[-1]],
        "environment": {_literal(k): _literal(v) for k, v in variables.items()},
        "unix_socket": True,
        "timeout": config.start_timeout,
        # A dashboard inside JupyterLab is a frame.
        "new_browser_tab": config.new_browser_tab or not _may_frame(),
        "launcher_entry": {"title": "MLflow", "icon_path": str(icon())},
    }


def mlflow_command(config: MLflowProxy) -> list[str]:
    """MLflow's command line. Other users can read it, so it holds no secrets."""
    return [
        shutil.which(config.python) or config.python,
        "-u",  # the last output of a process that is killed reaches the log
        str(SERVER),
        f"--root-dir={config.root_dir}",
        f"--idle-timeout={config.idle_timeout:g}",  # the dashboard pauses its requests then
        f"--allow-upgrade={config.allow_upgrade}".lower(),
        *(["--job-execution"] if config.job_execution else []),
    ]


def environment(config: MLflowProxy) -> dict[str, str]:
    """Environment of MLflow, for settings that may hold passwords, as `mlflow server` reads it."""
    return {
        # The extension changes these for kernels; the MLflow process keeps the user's values.
        **{name: os.environ.get(name, "") for name in kernels.FOR_KERNELS_ONLY},
        "MLFLOW_TRACKING_URI": kernels.clients_uri(config),
        **config.environment,
        "MLFLOW_BACKEND_STORE_URI": config.backend_store_uri,
        "MLFLOW_REGISTRY_STORE_URI": config.registry_store_uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": kernels.artifact_root(config),
        "MLFLOW_ARTIFACTS_DESTINATION": kernels.artifacts_destination(config),
        BAD_SETTINGS: " ".join(config.bad_values.values()),
    }


def address_environment(config: MLflowProxy, address: LocalAddress) -> dict[str, str]:
    """What MLflow, its jobs and its Assistant need to reach MLflow by HTTP."""
    if config.backend_store.is_remote:
        return {}
    return {**without_proxy({**os.environ, **config.environment}), **address.variables}


def load(server_app: ServerApp) -> None:
    """Set up this Jupyter server; called once, after jupyter-server-proxy was loaded."""
    if any(server.name == NAME for server in ServerProxy(parent=server_app).servers.values()):
        stand_aside(server_app)
        return
    config = settings()
    server_app.log.info(
        "MLflow is at %s%s/, its log will be %s", server_app.base_url, NAME, log_file()
    )
    address = add_route(config, server_app)  # MLflow inherits the environment as the user set it
    if unknown := config.traits(for_kernels=True).keys() & config.bad_values.keys():
        what = "Kernels are given no store until %s can be used"
        server_app.log.warning(what, " and ".join(sorted(unknown)))
    elif config.export_tracking_uri:
        kernels.export(config, server_app, address)


def stand_aside(server_app: ServerApp) -> None:
    """Leave all to the entry of the same name in Jupyter's configuration, in JupyterLab as well."""
    server_app.log.info(
        "c.ServerProxy.servers has an entry %r, which is used as it is: kernels are given no "
        "store, and JupyterLab has no sidebar and no commands for it",
        NAME,
    )
    settings = server_app.web_app.settings
    before = settings.get("page_config_hook")

    def disable(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        page_config = before(handler, page_config) if before else page_config
        disabled = page_config.get("disabledExtensions", [])
        return {**page_config, "disabledExtensions": [*disabled, LAB_EXTENSION]}

    settings["page_config_hook"] = disable


def add_route(config: MLflowProxy, server_app: ServerApp) -> LocalAddress:
    """Serve `/mlflow/` with the streaming handler; returns its address for the user's processes.

    jupyter-server-proxy has a route of the same address. tornado uses the first that matches.
    """
    address = LocalAddress(server_app)
    handler, arguments = mlflow_handler(server_process(config))
    life = make_life(config, server_app, address, arguments["state"])
    address.life = handler.life = life
    unescaped = url_path_join(server_app.base_url, NAME)
    path = re.escape(unescaped)
    routes = [
        *control.routes(path, config, life),
        url(f"{path}/(.*)", handler, arguments),
        # A `.` in the base URL matches any character in jupyter-server-proxy's own route, which
        # would pass such a request on without our checks.
        url(f"{unescaped}/.*", ErrorHandler, {"status_code": HTTPStatus.NOT_FOUND}),
    ]
    server_app.web_app.default_router.rules[:0] = routes
    prestart.schedule(server_app, life, config.prestart)
    if isinstance(store := config.backend_store, SQLite):
        life.metrics.database = store.path
    REGISTRY.register(life.metrics)
    return address


def make_life(
    config: MLflowProxy, server_app: ServerApp, address: LocalAddress, proxy_state: dict[str, Any]
) -> Life:
    """MLflow's life by `config`; `proxy_state` is that of jupyter-server-proxy's handlers."""
    log = log_file()
    variables = environment(config)  # before those for kernels are added

    def variables_now() -> dict[str, str]:
        # Not earlier, since it opens a port.
        return {**variables, **address_environment(config, address)}

    def record_activity() -> None:
        # A hub's idle culler reads it.
        times = server_app.web_app.settings.setdefault("last_activity_times", {})
        times[NAME] = datetime.now(timezone.utc)

    output = set_up_logging(log, server_app.log, all_to=config.log_to_stderr)
    return Life(
        command=MLflowCommand(tuple(mlflow_command(config)), config.root_dir, variables_now),
        status=Status(output.lines, log, _may_frame()),
        output=output,
        start_timeout=config.start_timeout,
        idle_timeout=config.idle_timeout,
        record_activity=record_activity,
        proxy_state=proxy_state,
    )


class MLflowProxyApp(ExtensionApp):
    """The extension, as Jupyter Server loads it and as `jupyter mlflow-proxy` runs it.

    Its configuration file is `jupyter_mlflow_proxy_config.py`.
    """

    name = "mlflow_proxy"
    description = (
        "MLflow's dashboard in a Jupyter server. --help-all lists its settings. "
        "`jupyter mlflow-proxy doctor` says what runs, with which settings, and what is wrong."
    )
    version = Unicode(version("jupyter-mlflow-proxy"))
    classes = [MLflowProxy]  # noqa: RUF012 (as traitlets has it)
    extension_url = f"/{NAME}/"

    def initialize_handlers(self) -> None:
        assert self.serverapp is not None  # noqa: S101
        load(self.serverapp)


def _may_frame() -> bool:
    settings = ServerApp.instance().web_app.settings if ServerApp.initialized() else {}
    return may_frame_itself(settings.get("headers", {}))


def _literal(value: str) -> str:
    """Escape `value` for the `str.format` that jupyter-server-proxy applies to every string."""
    return value.replace("{", "{{").replace("}", "}}")
