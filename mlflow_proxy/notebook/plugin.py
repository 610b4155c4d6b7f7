"""The plugin that MLflow loads in kernels and terminals, so that notebooks need not import it."""

import os
import sys

from mlflow.tracking.context.abstract_context import RunContextProvider

from mlflow_proxy.addresses import DASHBOARD_URL, LOG_NOTEBOOK, STORE_URI

from . import credential, import_notice, own_store
from .display import Display
from .own_store import CellLog
from .source import SavedNotebook, Source


class NotebookPlugin(RunContextProvider):  # type: ignore[misc] # mypy does not follow MLflow
    """Sets up this process (entry point `mlflow.run_context_provider`).

    MLflow creates one when it is imported. Of its plugins, only those of this kind are created
    then.
    """

    def __init__(self) -> None:
        import_notice.send()
        credential.guard()
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        self._source = Source.of_shell(shell)
        if self._source:
            self._source.tell_mlflow()
        address = os.environ.get(DASHBOARD_URL, "").rstrip("/")
        store = os.environ.get(STORE_URI)
        if not address or not store:  # not a process of a Jupyter server with the extension
            return
        log = CellLog(store) if shell else None
        own_store.register(store, log)
        if shell and log:
            Display(address, log).register(shell)
            if self._source and (kept := os.environ.get(LOG_NOTEBOOK)) not in (None, "", "False"):
                saved = SavedNotebook(self._source, store, has_outputs=kept != "code")
                log.when_run_ends = saved.when_run_ends

    def in_context(self) -> bool:
        """Whether it has tags for the run that is being created, or for traces."""
        return self._source is not None and self._source.is_known

    def tags(self) -> dict[str, str]:
        return self._source.tags() if self._source else {}
