"""Offers an upgrade, which `--upgrade` runs, or is killed if `broken` exists."""

import os
import signal
import sys
from pathlib import Path

import common

from mlflow_proxy.reports import Failure, Offer, Upgraded

if common.options.upgrade:
    if Path("broken").exists():
        Path("copy").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path("upgraded").touch()
    common.reporter.send(Upgraded())
elif Path("upgraded").exists():
    common.serve()
else:
    offer = Offer("It", str(Path("copy").absolute()))
    common.reporter.send(Failure("It is old.", "Upgrade it.", offer))
    sys.exit(0)  # this was reported
