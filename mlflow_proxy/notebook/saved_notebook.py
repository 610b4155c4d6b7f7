"""Keeps a notebook's saved file with the runs that it makes (`c.MLflowProxy.log_notebook`)."""

import json
import logging
import queue
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .source import Source

FOLDER = "notebook"  # of a run's artifacts

_logger = logging.getLogger(__name__)


@dataclass
class SavedNotebook:
    """Uploads the file of `source` to runs of the store `uri`, in a thread of its own."""

    source: Source
    uri: str
    has_outputs: bool
    _ended: "queue.SimpleQueue[Any]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None

    def when_run_ends(self, run: Any) -> None:
        """Have the file uploaded to `run`; returns at once."""
        self._ended.put(run)
        if self._thread is None:
            # The end of the kernel does not wait for it, either.
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            run = self._ended.get()
            try:
                if file := self.source.file:
                    self._upload(run.run_id, file)
            except Exception as error:  # of any kind of store
                _logger.warning("The notebook was not kept with run %s: %s", run.run_id, error)

    def _upload(self, run_id: str, file: Path) -> None:
        from mlflow import MlflowClient

        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, file.name)
            content = file.read_bytes()
            copy.write_bytes(content if self.has_outputs else without_outputs(content))
            MlflowClient(self.uri).log_artifact(run_id, str(copy), FOLDER)


def without_outputs(notebook: bytes) -> bytes:
    """The file `notebook` with code and text only."""
    content = json.loads(notebook)
    for cell in content.get("cells", []):
        if cell.get("cell_type") == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(content, indent=1, ensure_ascii=False).encode()
