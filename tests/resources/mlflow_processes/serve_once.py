"""Serves the first time; every later start fails."""

import sys
from pathlib import Path

import common

from mlflow_proxy.reports import Failure

if Path("served").exists():
    common.reporter.send(Failure("It is <broken>.", "Mend it."))
    sys.exit(0)  # this was reported
Path("served").touch()
common.serve()
