"""From the click on the tile to the drawn dashboard in Chromium, compared with a plain entry.

    python tests/benchmarks/dashboard.py --rounds 3

"Cold": the store is new and no file of Python's packages is in memory, as with the first click of
a day. "Warm": both exist. "Prestarted": MLflow was started with Jupyter. Every round measures all
rows in turn. Linux only. There is no pass or fail.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import adopt_orphans, end_children, plain_entry, rounds_of, run_python, tell, versions

from support.browser import chromium
from support.lab import TOKEN, Lab, lab_server
from support.waiting import wait_for

MAKE_STORE = "import mlflow; mlflow.MlflowClient().create_experiment('benchmark')"
DRAWN = "Welcome to MLflow"  # a heading of the home page
LIMIT = 180.0  # seconds
ROWS = ("cold", "warm", "prestarted")


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 3)
    adopt_orphans()
    cells = [(path, row) for path in ("plain", "mlflow") for row in ROWS]
    found: dict[tuple[str, str], list[float]] = {cell: [] for cell in cells}
    del found["plain", "prestarted"]  # jupyter-server-proxy starts an entry with its first request
    with tempfile.TemporaryDirectory(prefix="mlflow-dashboard-") as folder:
        base = Path(folder)
        run_python(MAKE_STORE, base, MLFLOW_TRACKING_URI=f"sqlite:///{base}/mlflow.db")
        for number in range(1, rounds + 1):
            for (path, row), seconds in found.items():
                seconds.append(click(base, path, row))
                tell(f"round {number}, {path}, {row}: {seconds[-1]:.2f} s")
    print(table(found))
    return 0


def click(base: Path, path: str, row: str) -> float:
    """Open the dashboard of a new Jupyter; returns the seconds until its home page is drawn."""
    home = Path(tempfile.mkdtemp(dir=base))
    root = home / "work"
    root.mkdir()
    if row != "cold":
        shutil.copy(base / "mlflow.db", root)
    config = plain_entry(root) if path == "plain" else ""
    config += f"\nc.MLflowProxy.prestart = {row == 'prestarted'}"
    with lab_server(home, config=config, root=root, program="lab") as lab:
        try:
            lab.session.get(f"{lab.url}/lab").raise_for_status()
            if row == "prestarted":
                wait_for(lambda: has_started(lab), LIMIT)
            with chromium() as browser:
                headers = {"Authorization": f"token {TOKEN}"}
                page = browser.new_context(extra_http_headers=headers).new_page()
                if row == "cold":
                    forget_files(Path(sysconfig.get_paths()["purelib"]))
                began = time.perf_counter()
                page.goto(f"{lab.url}/{path}/", timeout=LIMIT * 1000)
                expect(page.get_by_text(DRAWN).first).to_be_visible(timeout=LIMIT * 1000)
                return time.perf_counter() - began
        finally:
            if path == "plain":  # else `lab_server` reports its remaining processes
                end_children()


def has_started(lab: Lab) -> bool:
    """Whether MLflow was started without a request."""
    return lab.mlflow_log.exists() and "MLflow is ready" in lab.mlflow_log.read_text()


def forget_files(folder: Path) -> None:
    """Drop the files below `folder` from the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)


def table(found: dict[tuple[str, str], list[float]]) -> str:
    """Format the medians, in Markdown."""
    lines = ["| | plain entry | this |", "| --- | --: | --: |"]
    for row in ROWS:
        cells = [found.get((path, row)) for path in ("plain", "mlflow")]
        shown = [f"{median(each):.1f} s" if each else "" for each in cells]
        lines.append(f"| click to the drawn dashboard, {row} | {' | '.join(shown)} |")
    return "\n".join(
        [*lines, "", f"Medians of {len(found['plain', 'warm'])} round(s). {versions()}"]
    )


if __name__ == "__main__":
    sys.exit(main())
