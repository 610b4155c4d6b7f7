"""Logging from a notebook: kernels that open the database, and kernels that ask MLflow's server.

    python tests/benchmarks/kernels.py --rounds 3

The third row is a kernel beside an `mlflow server` that it asks straight, without Jupyter.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import tell, versions

from support.lab import Lab, lab_server
from support.tracking_server import tracking_server

ROWS = ("database", "server", "straight")
CALLS = 200  # of `log_metric`
MEASURE = f"""
import json, os, time
import mlflow, psutil
from pathlib import Path
def timed(function, *arguments, **named):
    began = time.perf_counter()
    function(*arguments, **named)
    return 1e3 * (time.perf_counter() - began)
def first_run():
    with mlflow.start_run():
        mlflow.log_metric("first", 1)
figures = {{"first run": timed(first_run)}}
hundred = {{f"metric {{number}}": number for number in range(100)}}
Path("large.bin").write_bytes(os.urandom(50 << 20))
with mlflow.start_run():
    singles = sorted(timed(mlflow.log_metric, "m", i, step=i) for i in range({CALLS}))
    many = sorted(timed(mlflow.log_metrics, hundred, step=i) for i in range(20))
    figures["log_metric"], figures["100 metrics"] = singles[{CALLS} // 2], many[10]
    figures["50 MB artifact"] = timed(mlflow.log_artifact, "large.bin")
figures["kernel"] = psutil.Process().memory_full_info().pss / 1e6
print(json.dumps(figures))
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes 1 or more")
    found: dict[str, list[dict[str, float]]] = {row: [] for row in ROWS}
    for number in range(options.rounds):
        for row in ROWS:
            tell(f"round {number + 1}: {row}")
            found[row].append(measure(row))
    columns = [*found[ROWS[0]][0]]
    print("| kernels | " + " | ".join(columns) + " |")
    print("| --- |" + " --: |" * len(columns))
    for row, rounds in found.items():
        print(
            f"| {row} | "
            + " | ".join(f"{median(each[c] for each in rounds):.1f}" for c in columns)
            + " |"
        )
    print(f"\nMilliseconds, and MB (PSS). {versions()}")
    return 0


def measure(row: str) -> dict[str, float]:
    """Start a Lab with a store that exists, run the notebook, return its figures."""
    with tempfile.TemporaryDirectory(prefix="mlflow-kernels-") as folder, ExitStack() as stack:
        home = Path(folder)
        mode, variables = row, {}
        if row == "straight":
            server = stack.enter_context(tracking_server(home / "server"))
            mode, variables = "database", {"MLFLOW_TRACKING_URI": server.url}
        config = f"c.MLflowProxy.kernels = '{mode}'"
        lab = stack.enter_context(lab_server(home, config=config, env=variables, program="lab"))
        if row != "straight":
            lab.wait_until("ready")
        figures: dict[str, float] = json.loads(lab.run_in_kernel(MEASURE).splitlines()[-1])
        figures["server"] = memory_of_mlflow(lab) if row != "straight" else 0.0
        return figures


def memory_of_mlflow(lab: Lab) -> float:
    """MB (PSS) of the MLflow process."""
    return float(psutil.Process(lab.mlflow.pid).memory_full_info().pss) / 1e6


if __name__ == "__main__":
    sys.exit(main())
