"""The Jupyter server extension: gives `/mlflow/` its handler and kernels their environment."""

import re

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.config import ServerProxy
from tornado.web import url

from mlflow_proxy.shared.addresses import NAME

from . import control, kernel_environment
from .config import MLflowProxy
from .entry_point import log_file, server_process
from .handler import streaming_handler
from .local_address import LocalAddress
from .prestart import schedule
from .settings import settings
from .supervisor_process import SupervisorProcess

OF_KERNELS = frozenset(
    {
        "backend_store_uri",
        "default_artifact_root",
        "export_tracking_uri",
        "kernels",
        "registry_store_uri",
    }
)
"""Settings without which it is not known what kernels should be given."""


def load(server_app: ServerApp) -> None:
    """Set up this Jupyter server; called once, after jupyter-server-proxy was loaded."""
    config = settings()
    server_app.log.info(
        "MLflow is at %s%s/, its log will be %s", server_app.base_url, NAME, log_file()
    )
    address = add_route(config, server_app)  # MLflow inherits the environment as the user set it
    if unknown := OF_KERNELS & config.bad_values.keys():
        what = "Kernels are given no store until %s can be used"
        server_app.log.warning(what, " and ".join(sorted(unknown)))
    elif config.export_tracking_uri:
        kernel_environment.export(config, server_app, address)


def add_route(config: MLflowProxy, server_app: ServerApp) -> LocalAddress | None:
    """Serve `/mlflow/` with the streaming handler; returns its address for the user's processes.

    Unless Jupyter's configuration overrides it: then that is used, and None returned.

    jupyter-server-proxy has a route of the same address. tornado uses the first that matches, so
    ours are inserted at the front and win in any order of the extensions.
    """
    servers = ServerProxy(parent=server_app).servers.values()
    if any(server.name == NAME for server in servers):
        server_app.log.info("c.ServerProxy.servers has an entry %r, which is used as it is", NAME)
        return None
    address = LocalAddress(server_app)
    handler, arguments = streaming_handler(NAME, server_process(config, address))
    address.process = SupervisorProcess(server_app, handler, arguments)
    path = re.escape(url_path_join(server_app.base_url, NAME))
    routes = [
        *control.routes(path, config, address.process),
        url(f"{path}/(.*)", handler, arguments),
    ]
    server_app.web_app.default_router.rules[:0] = routes
    schedule(server_app, address.process, config.prestart)
    return address
