"""Reports a failure unless the file `mended` exists in its folder."""

import sys
from pathlib import Path

import common

from mlflow_proxy.reports import Failure

if not Path("mended").exists():
    common.reporter.send(Failure("It is <broken>.", "Mend it."))
    sys.exit(0)  # this was reported
common.serve()
