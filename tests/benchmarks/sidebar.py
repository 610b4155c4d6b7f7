"""Time from opening the sidebar to the first runs, beside the same search through REST.

    python tests/benchmarks/sidebar.py --rounds 5

The store has 1,000 experiments and 10,000 runs with metrics and parameters. MLflow is running, and
JupyterLab is loaded, before the clock starts. The search is the sidebar's: the latest experiments,
then the latest runs of the first one. There is no pass or fail for the time.

One more experiment has 20 runs with 1,000 metrics each, of which three are running. The requests
and kilobytes, both ways, are counted of its list, of opening one of its runs, of opening it again,
and of following the three for one refresh. More than 20 requests or 200 kB are a failure.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import BrowserContext, Request

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import rounds_of, run_python, tell, versions

from support.browser import PATIENCE, chromium
from support.lab import TOKEN, Lab, lab_server

EXPERIMENTS = 1000
RUNS = 10_000
METRICS = 5  # of each run, and as many parameters
WIDE_RUNS = 20
WIDE_METRICS = 1000
STEPS = 50  # of the first of these metrics
APIS = re.compile(r"/mlflow/(ajax-api|graphql)")
QUIET = 5000  # milliseconds, in which all is asked for
MAX_REQUESTS = 20
MAX_KILOBYTES = 200
MAKE_STORE = "import mlflow; mlflow.search_experiments()"
# From opening the sidebar to the first run that is shown, in milliseconds.
WATCH = """() => new Promise((resolve) => {
  const began = performance.now();
  const look = () => document.querySelector(".jp-mlflow-row[data-kind=run]")
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
            figures, counts = measure(lab, rounds)
    print("| | ms |\n| --- | --: |")
    for name, values in figures.items():
        print(f"| {name} | {median(values):.0f} |")
    print("\n| | requests | kB |\n| --- | --: | --: |")
    for name, (requests, kilobytes) in counts.items():
        print(f"| {name} | {requests} | {kilobytes:.0f} |")
    print(f"\n{versions()}")
    return int(any(r > MAX_REQUESTS or kb > MAX_KILOBYTES for r, kb in counts.values()))


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
        fill_wide(connection, now + 2 * RUNS)


def fill_wide(connection: sqlite3.Connection, now: int) -> None:
    """Write the experiment whose runs have many metrics, the one used last."""
    columns = "experiment_id name lifecycle_stage creation_time last_update_time artifact_location"
    number = EXPERIMENTS + 1
    insert(connection, "experiments", columns, [(number, "wide", "active", now, now, "/nowhere")])
    runs = [
        (f"{RUNS + n:032x}", "RUNNING" if n < 3 else "FINISHED", now - n) for n in range(WIDE_RUNS)
    ]
    insert(
        connection,
        "runs",
        "run_uuid name experiment_id status start_time end_time lifecycle_stage artifact_uri "
        "user_id",
        [
            (run, f"wide {now - start}", number, status, start, start, "active", "/nowhere", "me")
            for run, status, start in runs
        ],
    )
    columns = "run_uuid key value timestamp step is_nan"
    keys = [f"metric {k:04}" for k in range(WIDE_METRICS)]
    last = [(run, key, 1.5, start, STEPS, 0) for run, _, start in runs for key in keys]
    insert(connection, "latest_metrics", columns, last)
    history = [
        (run, key, s / 7, start, s, 0)
        for run, _, start in runs
        for key in keys[:20]
        for s in range(STEPS)
    ]
    insert(connection, "metrics", columns, [*last, *history])


def insert(
    connection: sqlite3.Connection, table: str, columns: str, rows: list[tuple[Any, ...]]
) -> None:
    """Insert `rows` into `table`."""
    names = columns.split()
    marks = ",".join("?" * len(names))
    connection.executemany(f"INSERT INTO {table} ({','.join(names)}) VALUES ({marks})", rows)


def measure(lab: Lab, rounds: int) -> tuple[dict[str, list[float]], dict[str, tuple[int, float]]]:
    """Measure the search and the sidebar in turn; returns milliseconds, and what is asked for."""
    figures: dict[str, list[float]] = {"search through REST": [], "sidebar": []}
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE)
        search(lab)  # the first one prepares MLflow's statements
        for number in range(1, rounds + 1):
            figures["search through REST"].append(search(lab))
            figures["sidebar"].append(open_sidebar(lab, context))
            tell(f"round {number}: {[values[-1] for values in figures.values()]}")
        return figures, count(lab, context)


def count(lab: Lab, context: BrowserContext) -> dict[str, tuple[int, float]]:
    """Count the requests and kilobytes of what a user does with runs of many metrics."""
    page = context.new_page()
    page.goto(f"{lab.url}/lab?token={TOKEN}&reset")
    page.get_by_role("tab", name="MLflow").wait_for()
    page.wait_for_load_state("networkidle")
    sent: list[Request] = []
    page.on("requestfinished", lambda request: APIS.search(request.url) and sent.append(request))
    counts: dict[str, tuple[int, float]] = {}

    def step(name: str, act: Callable[[], Any]) -> None:
        sent.clear()
        act()
        page.wait_for_timeout(QUIET)
        sizes = [request.sizes() for request in sent]
        size = sum(each["responseBodySize"] + each["requestBodySize"] for each in sizes)
        counts[name] = (len(sizes), size / 1000)

    panel = page.get_by_role("region", name="MLflow")
    row = panel.locator(".jp-mlflow-row").filter(has_text="wide 1")
    step("first list", lambda: page.get_by_role("tab", name="MLflow").click())
    step("open a run", row.first.click)
    panel.locator(".jp-mlflow-row").filter(has_text="wide 5").click()
    page.wait_for_timeout(QUIET)
    step("open it again", row.first.click)
    step("follow three for 10 s", lambda: page.wait_for_timeout(10_000 - QUIET))
    page.close()
    return counts


def search(lab: Lab) -> float:
    """Ask what the sidebar asks."""
    began = time.perf_counter()
    body: dict[str, Any] = {"max_results": 50, "order_by": ["last_update_time DESC"]}
    found = lab.api("experiments/search", {**body, "view_type": "ACTIVE_ONLY"})["experiments"]
    body = {"max_results": 20, "order_by": ["attributes.start_time DESC"]}
    runs = lab.api("runs/search", {**body, "experiment_ids": [found[0]["experiment_id"]]})
    assert len(runs["runs"]) in (RUNS // EXPERIMENTS, WIDE_RUNS)
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
