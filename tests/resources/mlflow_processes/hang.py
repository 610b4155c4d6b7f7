"""Reports an MLflow of the future, and never gets ready."""

import threading

from common import reporter  # which has reported the first stage

from mlflow_proxy.reports import Found

reporter.send(Found("99.1.0"))
threading.Event().wait()
