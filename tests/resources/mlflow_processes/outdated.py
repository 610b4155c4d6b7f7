"""Offers an upgrade of its database; `--upgrade` runs it, or is killed if `broken` exists."""

import os
import signal
import sys
from pathlib import Path

import common

from mlflow_proxy.shared.reports import Failure, Upgrade, Upgraded

if common.options.upgrade:
    if Path("broken").exists():
        Path("copy").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path("upgraded").touch()
    common.reporter.send(Upgraded())
elif Path("upgraded").exists():
    common.serve()
else:
    upgrade = Upgrade("It", str(Path("copy").absolute()))
    common.reporter.send(Failure("It is old.", "Upgrade it.", upgrade))
    sys.exit(1)
