"""Keeps a notebook's saved file with the runs that it makes (`c.MLflowProxy.log_notebook`)."""

import json
import logging
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
    """Uploads the file of `source` to runs of the store `uri`, one at a time."""

    source: Source
    uri: str
    has_outputs: bool
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def when_run_ends(self, run: Any) -> None:
        """Have the file uploaded to `run`; returns at once."""
        # The end of the kernel does not wait for it, either.
        threading.Thread(target=self._upload, args=(run.run_id,), daemon=True).start()

    def _upload(self, run_id: str) -> None:
        from mlflow import MlflowClient

        try:
            with self._lock, tempfile.TemporaryDirectory() as folder:
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
