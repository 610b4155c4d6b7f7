"""Which notebook or console of Jupyter this process runs the cells of."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# Jupyter sets it for a kernel: the folder, and the file's name or a console's title ("Console 1").
SESSION = "JPY_SESSION_NAME"
# MLflow takes a notebook's name from here, and otherwise asks Jupyter with a token that a hub
# refuses.
NAME_FOR_MLFLOW = "IPYNB_FILE"
NOTEBOOK = ".ipynb"


@dataclass(frozen=True)
class Source:
    """A notebook or console."""

    path: Path

    @classmethod
    def of_this_process(cls) -> "Source | None":
        """The one whose kernel this process is; None if it is no kernel, or an unnamed one's.

        Programs that a kernel starts inherit its variable.
        """
        session = os.environ.get(SESSION, "")
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        if not hasattr(shell, "kernel") or not session or session.endswith("/"):
            return None
        return cls(Path(session))

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook."""
        return self.path.suffix == NOTEBOOK

    @property
    def file(self) -> Path | None:
        """The notebook's saved file; None if there is none, as after it was renamed."""
        return self.path if self.is_notebook and self.path.is_file() else None

    def tell_mlflow(self) -> None:
        """Have MLflow take the name from this process, unless Jupyter knows a newer one.

        The variable keeps the name that a notebook had when its kernel started.
        """
        if self.file or not self.is_notebook or os.environ.get("JUPYTERHUB_API_TOKEN"):
            os.environ.setdefault(NAME_FOR_MLFLOW, str(self.path))

    def tags(self) -> dict[str, str]:
        """MLflow's tags of a run that it makes."""
        kind = "NOTEBOOK" if self.is_notebook else "LOCAL"
        return {"mlflow.source.name": self.path.name, "mlflow.source.type": kind}
