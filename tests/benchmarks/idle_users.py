"""Memory of an idle user: what Jupyter has grown by once MLflow was used and is stopped again.

    python tests/benchmarks/idle_users.py

No process of MLflow runs then. The figure for a plain entry is one that `start.py` measures. Linux
only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import tell, versions

from support.lab import PAGE, Lab, lab_server
from support.waiting import wait_for

PLAIN = 2470.0  # MB (PSS) of one plain entry, by start.py
SEARCH = "/ajax-api/2.0/mlflow/experiments/search?max_results=10"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=3, help="users that are measured")
    parser.add_argument("--plain", type=float, default=PLAIN, help="MB of a plain entry")
    options = parser.parse_args()
    if options.users < 1:
        parser.error("--users takes 1 or more")
    grown = [growth() for _ in range(options.users)]
    print("| after use, MLflow stopped | processes | MB |\n| --- | --: | --: |")
    print(f"| Jupyter's growth | 0 | {median(grown):.1f} |")
    print(f"| plain entry | 15 | {options.plain:.0f} |")
    print(f"\nMemory as PSS; {', '.join(f'{each:.1f}' for each in grown)}. {versions()}")
    return 0


def growth() -> float:
    """MB (PSS) that a Jupyter server grows by."""
    with tempfile.TemporaryDirectory(prefix="mlflow-idle-") as home, lab_server(Path(home)) as lab:
        lab.session.get(f"{lab.url}/api/contents", timeout=60).raise_for_status()
        before = memory(lab)
        lab.wait_until("ready")
        lab.get("/", headers=PAGE).raise_for_status()
        lab.get(lab.mlflow_script).raise_for_status()
        for _ in range(100):
            lab.get(SEARCH).raise_for_status()
        lab.stop()
        wait_for(lambda: not lab.mlflow_processes())
        tell(f"{before:.0f} MB before, {memory(lab):.0f} MB after")
        return memory(lab) - before


def memory(lab: Lab) -> float:
    """MB (PSS) of Jupyter."""
    return float(psutil.Process(lab.process.pid).memory_full_info().pss) / 1e6


if __name__ == "__main__":
    sys.exit(main())
