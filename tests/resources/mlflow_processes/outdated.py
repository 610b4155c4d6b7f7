"""Offers an upgrade, which `--repair` runs, or is killed if `broken` exists.

If `optional` exists, the offer can be declined.
"""

import os
import signal
import sys
from pathlib import Path

import common

from mlflow_proxy.reports import DeclinedOffers, Failure, Offer, Repair, Repaired

offer = Offer(
    Repair.UPGRADE,
    "Upgrade database",
    "It",
    "Stop others.",
    (str(Path("copy").absolute()),),
    decline="Open it" if Path("optional").exists() else "",
)
if common.options.repair is Repair.UPGRADE:
    if Path("broken").exists():
        Path("copy").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path("upgraded").touch()
    common.reporter.send(Repaired())
elif Path("upgraded").exists() or offer in DeclinedOffers(common.options.declined_offers):
    common.serve()
else:
    common.reporter.send(Failure("It is old.", "Upgrade it.", offer))
    sys.exit(0)  # this was reported
