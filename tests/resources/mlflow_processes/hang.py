"""Reports an MLflow of the future, or of the file `version`, and never gets ready."""

import threading
from pathlib import Path

from common import reporter  # which has reported the first stage

from mlflow_proxy.reports import Found

version = Path("version")
reporter.send(Found(version.read_text() if version.exists() else "99.1.0"))
threading.Event().wait()
