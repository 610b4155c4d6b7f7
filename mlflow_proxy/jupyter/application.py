"""`jupyter mlflow-proxy`: a Jupyter server that opens the dashboard, and lists the settings.

Jupyter Server lists in `--help-all` and `--generate-config` the settings of its own classes only,
before it looks for extensions. An extension that is an application has both options itself, and a
configuration file that every Jupyter server of the machine reads.
"""

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from mlflow_proxy._version import __version__
from mlflow_proxy.shared.addresses import NAME

from .config import MLflowProxy
from .extension import load


class MLflowProxyApp(ExtensionApp):
    """The extension, as Jupyter Server loads it and as `jupyter mlflow-proxy` runs it.

    Its configuration file is `jupyter_mlflow_proxy_config.py`.
    """

    name = "mlflow_proxy"
    description = "MLflow's dashboard in a Jupyter server. --help-all lists its settings."
    version = Unicode(__version__)
    classes = [MLflowProxy]  # noqa: RUF012 (as traitlets has it)
    extension_url = f"/{NAME}/"

    def initialize_handlers(self) -> None:
        """Set up the Jupyter server; called once, after jupyter-server-proxy was loaded."""
        assert self.serverapp is not None  # noqa: S101
        load(self.serverapp)


main = MLflowProxyApp.launch_instance
