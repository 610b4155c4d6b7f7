"""The plugin that MLflow loads in kernels and terminals, so that notebooks need not import it."""

import os
import sys

from mlflow.tracking.context.abstract_context import RunContextProvider

from mlflow_proxy.addresses import DASHBOARD_URL

from . import import_notice, own_store
from .cell_log import CellLog
from .display import Display


class NotebookPlugin(RunContextProvider):  # type: ignore[misc] # mypy does not follow MLflow
    """Sets up this process (entry point `mlflow.run_context_provider`).

    MLflow creates one when it is imported. Of its plugins, only those of this kind are created
    then; that they provide tags for runs is not used.
    """

    def __init__(self) -> None:
        import_notice.send()
        address = os.environ.get(DASHBOARD_URL, "").rstrip("/")
        store = os.environ.get("MLFLOW_TRACKING_URI")
        if not address or not store:  # not a process of a Jupyter server with the extension
            return
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        log = CellLog(store) if shell else None
        own_store.register(store, log)
        if shell and log:
            Display(address, log).register(shell)

    def in_context(self) -> bool:
        """Return False: it has no tags for the run that is being created."""
        return False

    def tags(self) -> dict[str, str]:
        """No tags."""
        return {}
