"""Which notebook or console of Jupyter this process runs the cells of; keeps it with its runs."""

import contextlib
import json
import logging
import os
import queue
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Jupyter sets it for a kernel: the folder, and the file's name or a console's title ("Console 1").
SESSION = "JPY_SESSION_NAME"
# MLflow takes a notebook's name from here, and otherwise asks Jupyter with a token that a hub
# refuses.
NAME_FOR_MLFLOW = "IPYNB_FILE"
NOTEBOOK = ".ipynb"
FOLDER = "notebook"  # of a run's artifacts

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    path: Path
    """Of a notebook: its file when the kernel started."""
    inode: int | None
    """Of that file, which it keeps while it is saved and renamed."""

    @classmethod
    def of_shell(cls, shell: Any) -> "Source | None":
        """The one whose cells IPython's `shell` runs; None if it is no kernel, or an unnamed one's.

        Programs that a kernel starts inherit its variable.
        """
        session = os.environ.get(SESSION, "")
        if not hasattr(shell, "kernel") or not session or session.endswith("/"):
            return None
        path = Path(session)
        return cls(path, path.stat().st_ino if path.is_file() else None)

    @property
    def is_notebook(self) -> bool:
        return self.path.suffix == NOTEBOOK

    @property
    def file(self) -> Path | None:
        """The notebook's saved file, also after it was renamed in its folder; None if unknown."""
        if not self.is_notebook or self.path.is_file():
            return self.path if self.is_notebook else None
        with contextlib.suppress(OSError):  # the folder was renamed
            beside = self.path.parent.glob(f"*{NOTEBOOK}")
            return next((each for each in beside if each.stat().st_ino == self.inode), None)
        return None

    @property
    def is_known(self) -> bool:
        """Whether no one knows better: Jupyter does, but a hub's refuses MLflow's request."""
        return not self.is_notebook or self.file is not None or "JUPYTERHUB_API_TOKEN" in os.environ

    def tell_mlflow(self) -> None:
        """Have MLflow take the name from this process, and not ask Jupyter for it."""
        if self.is_known:
            os.environ.setdefault(NAME_FOR_MLFLOW, str(self.path))

    def tags(self) -> dict[str, str]:
        kind = "NOTEBOOK" if self.is_notebook else "LOCAL"
        return {"mlflow.source.name": (self.file or self.path).name, "mlflow.source.type": kind}


@dataclass
class SavedNotebook:
    """Uploads the file of `source` to runs of the store `uri` (`c.MLflowProxy.log_notebook`).

    One thread does so for all runs: a cell may end thousands.
    """

    source: Source
    uri: str
    has_outputs: bool
    _ended: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None

    def when_run_ends(self, run: Any) -> None:
        """Have the file uploaded to `run`; returns at once."""
        self._ended.put(run.run_id)
        if self._thread is None:
            # The end of the kernel does not wait for it, either.
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            self._upload(self._ended.get())

    def _upload(self, run_id: str) -> None:
        from mlflow import MlflowClient

        try:
            with tempfile.TemporaryDirectory() as folder:
                if file := self.source.file:
                    copy = Path(folder, file.name)
                    content = file.read_bytes()
                    copy.write_bytes(content if self.has_outputs else without_outputs(content))
                    MlflowClient(self.uri).log_artifact(run_id, str(copy), FOLDER)
        except Exception as error:  # of any kind of store
            _logger.warning("The notebook was not kept with run %s: %s", run_id, error)


def without_outputs(notebook: bytes) -> bytes:
    """The file `notebook` with code and text only."""
    content = json.loads(notebook)
    for cell in content.get("cells", []):
        if cell.get("cell_type") == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(content, indent=1, ensure_ascii=False).encode()
