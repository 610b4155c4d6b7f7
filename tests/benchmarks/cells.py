"""How long a cell is busy in a kernel that uses MLflow: after a trace, after 1, 20 and 500 runs.

    python tests/benchmarks/cells.py --rounds 3

The last row is the same code in a kernel without the package's part for notebooks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import tell, versions

from support.kernel import kernel
from support.lab import TOKEN, lab_server
from support.postgres import postgres_server

# The kernels' mode, and whether the store is a PostgreSQL server.
ROWS = {
    "database": ("database", False),
    "server": ("server", False),
    "database, PostgreSQL": ("database", True),
    "without": ("database", False),
}
LOOP = """
began = time.perf_counter()
for _ in range({count}):
    {code}
print(time.perf_counter() - began)
"""
RUN, TRACE = "with mlflow.start_run(): pass", "mlflow.trace(lambda: 1)()"
CELLS = {
    "1+1": "1 + 1",
    "1 run": LOOP.format(count=1, code=RUN),
    "20 runs": LOOP.format(count=20, code=RUN),
    "500 runs": LOOP.format(count=500, code=RUN),
    "trace": LOOP.format(count=1, code=TRACE),
    "1+1 after it": "1 + 1",
    "10 traces": LOOP.format(count=10, code=TRACE),
    "1+1 at last": "1 + 1",
}
PREPARE = "import time, mlflow\nwith mlflow.start_run(): pass"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", nargs="*", default=[*ROWS], choices=ROWS)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes 1 or more")
    found: dict[str, list[dict[str, float]]] = {row: [] for row in options.rows}
    for number in range(options.rounds):
        for row in options.rows:
            tell(f"round {number + 1}: {row}")
            found[row].append(measure(row))
    print("| kernels | " + " | ".join(CELLS) + " |")
    print("| --- |" + " --: |" * len(CELLS))
    for row, rounds in found.items():
        medians = (median(each[cell] for each in rounds) for cell in CELLS)
        print(f"| {row} | " + " | ".join(f"{1e3 * each:.0f}" for each in medians) + " |")
    print(f"\nMilliseconds that a cell is busy beyond its own code. {versions()}")
    return 0


def measure(row: str) -> dict[str, float]:
    """Seconds that each cell is busy, without those that its own loop takes."""
    mode, is_on_server = ROWS[row]
    with tempfile.TemporaryDirectory(prefix="mlflow-cells-") as folder, ExitStack() as stack:
        home = Path(folder)
        config, variables = f"c.MLflowProxy.kernels = '{mode}'", {}
        if is_on_server:
            database = stack.enter_context(postgres_server())
            variables = {"MLFLOW_TRACKING_URI": database.uri("postgres")}
        lab = stack.enter_context(lab_server(home, config=config, env=variables, program="server"))
        lab.wait_until("ready")
        run = stack.enter_context(kernel(lab.url, TOKEN, "cells.ipynb"))
        if row == "without":
            run("import os; del os.environ['MLFLOW_PROXY_DASHBOARD_URL']")
        run(PREPARE)
        figures = {}
        for name, code in CELLS.items():
            (cell,) = run(code)
            figures[name] = cell.seconds - float(cell.stdout or 0)
        return figures


if __name__ == "__main__":
    sys.exit(main())
