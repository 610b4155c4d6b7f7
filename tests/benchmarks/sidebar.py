"""Time from opening the sidebar to the first runs, beside the same search through REST.

    python tests/benchmarks/sidebar.py --rounds 5

The store has 1,000 experiments and 10,000 runs with metrics and parameters. MLflow is running, and
JupyterLab is loaded, before the clock starts. The search is the sidebar's: the latest experiments,
then the latest runs of the first one. There is no pass or fail.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import BrowserContext

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import rounds_of, run_python, tell, versions

from support.browser import PATIENCE, chromium
from support.lab import TOKEN, Lab, lab_server

EXPERIMENTS = 1000
RUNS = 10_000
METRICS = 5  # of each run, and as many parameters
MAKE_STORE = "import mlflow; mlflow.search_experiments()"
# From opening the sidebar to the first run that is shown, in milliseconds.
WATCH = """() => new Promise((resolve) => {
  const began = performance.now();
  const look = () => document.querySelector(".jp-mlflow-run")
    ? resolve(performance.now() - began)
    : requestAnimationFrame(look);
  jupyterapp.shell.activateById("jp-mlflow-sidebar");
  look();
})"""


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 5)
    with tempfile.TemporaryDirectory(prefix="mlflow-sidebar-") as folder:
        home = Path(folder)
        root = home / "work"
        root.mkdir()
        run_python(MAKE_STORE, home, MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db")
        fill(root / "mlflow.db")
        tell(f"{EXPERIMENTS} experiments, {RUNS} runs")
        with lab_server(
            home, root=root, config="c.LabApp.expose_app_in_browser = True", program="lab"
        ) as lab:
            lab.wait_until("ready")
            figures = measure(lab, rounds)
    print("| | ms |\n| --- | --: |")
    for name, values in figures.items():
        print(f"| {name} | {median(values):.0f} |")
    print(f"\n{versions()}")
    return 0


def fill(database: Path) -> None:
    """Write the experiments and runs straight into MLflow's tables."""
    now = int(time.time() * 1000)
    numbers = range(1, EXPERIMENTS + 1)
    runs = [(f"{number:032x}", 1 + number % EXPERIMENTS, number) for number in range(RUNS)]
    keys = range(METRICS)
    with sqlite3.connect(database) as connection:
        insert(
            connection,
            "experiments",
            "experiment_id name lifecycle_stage creation_time last_update_time artifact_location",
            [(n, f"experiment {n}", "active", now + n, now + n, f"/nowhere/{n}") for n in numbers],
        )
        insert(
            connection,
            "runs",
            "run_uuid name experiment_id status start_time end_time lifecycle_stage artifact_uri "
            "user_id",
            [
                (
                    run,
                    f"run {n}",
                    experiment,
                    "FINISHED",
                    now + n,
                    now + n,
                    "active",
                    "/nowhere",
                    "me",
                )
                for run, experiment, n in runs
            ],
        )
        metrics = [(run, f"metric {k}", n + k, now, 0, 0) for run, _, n in runs for k in keys]
        columns = "run_uuid key value timestamp step is_nan"
        for table in ("metrics", "latest_metrics"):
            insert(connection, table, columns, metrics)
        params = [(run, f"parameter {k}", "value") for run, _, _ in runs for k in keys]
        insert(connection, "params", "run_uuid key value", params)


def insert(
    connection: sqlite3.Connection, table: str, columns: str, rows: list[tuple[Any, ...]]
) -> None:
    """Insert `rows` into `table`."""
    names = columns.split()
    marks = ",".join("?" * len(names))
    connection.executemany(f"INSERT INTO {table} ({','.join(names)}) VALUES ({marks})", rows)


def measure(lab: Lab, rounds: int) -> dict[str, list[float]]:
    """Measure the search and the sidebar in turn; returns milliseconds."""
    figures: dict[str, list[float]] = {"search through REST": [], "sidebar": []}
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE)
        search(lab)  # the first one prepares MLflow's statements
        for number in range(1, rounds + 1):
            figures["search through REST"].append(search(lab))
            figures["sidebar"].append(open_sidebar(lab, context))
            tell(f"round {number}: {[values[-1] for values in figures.values()]}")
    return figures


def search(lab: Lab) -> float:
    """Ask what the sidebar asks."""
    began = time.perf_counter()
    body: dict[str, Any] = {"max_results": 50, "order_by": ["last_update_time DESC"]}
    found = lab.api("experiments/search", {**body, "view_type": "ACTIVE_ONLY"})["experiments"]
    body = {"max_results": 20, "order_by": ["attributes.start_time DESC"]}
    runs = lab.api("runs/search", {**body, "experiment_ids": [found[0]["experiment_id"]]})
    assert len(runs["runs"]) == RUNS // EXPERIMENTS
    return (time.perf_counter() - began) * 1000


def open_sidebar(lab: Lab, context: BrowserContext) -> float:
    """Open the sidebar of a newly loaded JupyterLab."""
    page = context.new_page()
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    page.get_by_role("tab", name="MLflow").wait_for()
    page.wait_for_load_state("networkidle")
    elapsed = float(page.evaluate(WATCH))
    page.close()
    return elapsed


if __name__ == "__main__":
    sys.exit(main())
