"""Transfer and time of the first view of the runs table, compared with a plain entry.

    python tests/benchmarks/page.py --rounds 3

MLflow is running and the browser's cache is empty. The connection is simulated: 10 Mbit/s and
40 ms. Before that, over the local connection, two times are measured: from the end of the loading
page to the drawn dashboard, and of a reload with a warm cache. There is no pass or fail.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import adopt_orphans, end_children, plain_entry, rounds_of, run_python, tell, versions

from support.browser import chromium
from support.lab import TOKEN, Lab, lab_server
from support.waiting import wait_for

RUNS = 100
LAST_RUN = f"run-{RUNS - 1}"
MAKE_STORE = f"""
import mlflow
client = mlflow.MlflowClient()
for number in range({RUNS}):
    run = client.create_run("0", run_name=f"run-{{number}}").info.run_id
    client.log_metric(run, "loss", number)
    client.log_param(run, "depth", number)
"""
RATE = 10e6 / 8  # bytes a second
LATENCY = 40  # milliseconds
TIMEOUT = 180_000  # milliseconds
ROUTE = "#/experiments/0/runs"
# Paths that the tile and a bookmark open; text that is visible once the table is drawn.
PAGES = {"the home page": ("", "Welcome to MLflow"), "the runs table": (ROUTE, LAST_RUN)}


@dataclass(frozen=True)
class Look:
    """One first view of the runs table."""

    megabytes: float
    requests: int
    seconds: float


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 3)
    adopt_orphans()
    looks: dict[str, list[Look]] = {"plain": [], "mlflow": []}
    switches: dict[str, list[tuple[float, float]]] = {name: [] for name in PAGES}
    with tempfile.TemporaryDirectory(prefix="mlflow-page-") as folder:
        base = Path(folder)
        run_python(MAKE_STORE, base, MLFLOW_TRACKING_URI=f"sqlite:///{base}/mlflow.db")
        for number in range(1, rounds + 1):
            for name, figures in switches.items():
                figures.append(measure_switch(base, name))
                tell(f"round {number}, to {name}: {figures[-1]}")
            for path, figures in looks.items():
                figures.append(measure_look(base, path))
                tell(f"round {number}, {path}: {figures[-1]}")
    print(table(looks, switches))
    return 0


def measure_look(base: Path, path: str) -> Look:
    """Open the runs table of a new Jupyter in a browser with an empty cache."""
    with server(base, plain=path == "plain") as lab:
        url = f"{lab.url}/{path}/"
        try:
            wait_for(lambda: lab.session.get(f"{url}health", timeout=180).ok, 180)
            with chromium() as browser:
                return first_look(browser, url)
        finally:
            if path == "plain":
                end_children()


def measure_switch(base: Path, name: str) -> tuple[float, float]:
    """Open the tile of a new Jupyter; returns the seconds of the switch and of a reload."""
    route, drawn = PAGES[name]
    with server(base) as lab, chromium() as browser:
        context = browser.new_context(extra_http_headers={"Authorization": f"token {TOKEN}"})
        page = context.new_page()
        page.goto(f"{lab.mlflow_url}/{route}")
        page.locator("body[data-state]").wait_for()
        wait_until_drawn(page, drawn)
        # The dashboard is a new document at the same address; its clock starts with the switch.
        switch = float(page.evaluate("performance.now()")) / 1000
        page.reload()
        wait_until_drawn(page, drawn)
        return switch, float(page.evaluate("performance.now()")) / 1000


@contextmanager
def server(base: Path, plain: bool = False) -> Iterator[Lab]:
    """Run a new Jupyter on a copy of the store."""
    home = Path(tempfile.mkdtemp(dir=base))
    root = home / "work"
    root.mkdir()
    shutil.copy(base / "mlflow.db", root)
    with lab_server(
        home, config=plain_entry(root) if plain else "", root=root, program="lab"
    ) as lab:
        yield lab


def first_look(browser: Browser, url: str) -> Look:
    """Open the runs table over the simulated connection."""
    context = browser.new_context(extra_http_headers={"Authorization": f"token {TOKEN}"})
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    moved: list[float] = []
    protocol.on("Network.loadingFinished", lambda event: moved.append(event["encodedDataLength"]))
    protocol.send("Network.enable")
    conditions = {"downloadThroughput": RATE, "uploadThroughput": RATE, "latency": LATENCY}
    protocol.send("Network.emulateNetworkConditions", {"offline": False, **conditions})
    began = time.perf_counter()
    page.goto(url + ROUTE, timeout=TIMEOUT)
    wait_until_drawn(page, LAST_RUN)
    look = Look(sum(moved) / 1e6, len(moved), time.perf_counter() - began)
    context.close()
    return look


def wait_until_drawn(page: Page, text: str) -> None:
    """Wait until `text` is visible."""
    page.get_by_text(text, exact=True).first.wait_for(timeout=TIMEOUT)


def table(looks: dict[str, list[Look]], switches: dict[str, list[tuple[float, float]]]) -> str:
    """Format the medians, in Markdown."""
    lines = ["| | MB | requests | seconds |", "| --- | --: | --: | --: |"]
    names = {"plain": "plain `mlflow ui`", "mlflow": "ours"}
    for path, figures in looks.items():
        megabytes = median(look.megabytes for look in figures)
        requests = median(look.requests for look in figures)
        seconds = median(look.seconds for look in figures)
        lines.append(f"| {names[path]} | {megabytes:.2f} | {requests:g} | {seconds:.1f} |")
    lines += ["", "| from the loading page to | s | a reload of it, s |", "| --- | --: | --: |"]
    for name, pairs in switches.items():
        switch, reload = (median(column) for column in zip(*pairs, strict=True))
        lines.append(f"| {name} | {switch:.2f} | {reload:.2f} |")
    return "\n".join([*lines, "", versions()])


if __name__ == "__main__":
    sys.exit(main())
