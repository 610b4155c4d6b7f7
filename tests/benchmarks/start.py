"""How long from the click to MLflow, and what it costs: this package beside a plain entry.

    python tests/benchmarks/start.py --rounds 3

Every round measures everything in turn, so that a machine that slows down does so for all. What is
measured is the installed package. Linux only. Nothing here fails for being slow.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from statistics import median

import psutil
import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.lab import PAGE, Lab, lab_server
from support.processes import environment

API = "ajax-api/2.0/mlflow/experiments/search?max_results=1"
IMPORT = "import mlflow.server.fastapi_app"
MAKE_STORE = f"{IMPORT}, mlflow; mlflow.MlflowClient().create_experiment('benchmark')"
POLL = 0.05  # seconds between requests
LIMIT = 180.0  # seconds for MLflow to come up at all
PLAIN_TIMEOUT = 120  # seconds, jupyter-server-proxy's for the plain entry
SETTLING = 3.0  # seconds in which the processes and their memory must not change
SETTLED = 0.01  # what counts as no change
PR_SET_CHILD_SUBREAPER = 36  # Linux, see prctl(2)
PACKAGES = ("jupyter-mlflow-proxy", "mlflow", "jupyter-server-proxy", "jupyter_server")


@dataclass(frozen=True)
class Entry:
    """A tile to click on."""

    name: str
    path: str
    has_store: bool
    target: str

    def config(self, root: Path) -> str:
        """Jupyter's configuration."""
        if self.path == "mlflow":
            return ""
        store = f"--backend-store-uri=sqlite:///{root}/mlflow.db"
        command = ["mlflow", "ui", "--port", "{port}", store]
        servers = {self.path: {"command": command, "timeout": PLAIN_TIMEOUT}}
        # What we tell kernels would also reach a plain entry.
        return f"c.ServerProxy.servers = {servers}\nc.MLflowProxy.export_tracking_uri = False"


ENTRIES = (
    Entry("plain `mlflow ui`, existing store", "plain", True, "API ≥ 4 × import"),
    Entry(
        "ours, existing store",
        "mlflow",
        True,
        "page ≤ 0.5 s, API ≤ 1.3 × import, 2 processes, ≤ 300 MB",
    ),
    Entry(
        "ours, fresh store",
        "mlflow",
        False,
        "page ≤ 0.5 s, API ≤ 1.6 × import, 2 processes, ≤ 300 MB",
    ),
)


@dataclass(frozen=True)
class Figures:
    """What one click took, in seconds, and what then ran, in MB."""

    page: float
    api: float
    processes: int
    memory: float
    supervisor: float

    def __str__(self) -> str:
        return (
            f"page {self.page:.2f} s, API {self.api:.2f} s, {self.processes} processes, "
            f"{self.memory:.0f} MB, supervisor {self.supervisor:.1f} MB"
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    rounds = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds takes 1 or more")
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    imports: list[float] = []
    clicks: dict[Entry, list[Figures]] = {entry: [] for entry in ENTRIES}
    with tempfile.TemporaryDirectory(prefix="mlflow-start-") as folder, nothing_left():
        base = Path(folder)
        # This also brings all of MLflow into the page cache: no figure is that of a cold disk.
        run_python(MAKE_STORE, base, MLFLOW_TRACKING_URI=f"sqlite:///{base}/mlflow.db")
        for number in range(1, rounds + 1):
            for index, entry in enumerate(ENTRIES):
                figures = measure(entry, base / f"{number}-{index}", base / "mlflow.db")
                tell(f"round {number}: {entry.name}: {figures}")
                clicks[entry].append(figures)
            imports.append(run_python(IMPORT, base))
            tell(f"round {number}: bare import: {imports[-1]:.2f} s")
    print(table(imports, clicks))
    return 0


def run_python(code: str, home: Path, **variables: str) -> float:
    """Run `code` in an interpreter of its own; returns the seconds that it took."""
    began = time.perf_counter()
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, cwd=home, env=environment(home, variables), stdout=2)
    return time.perf_counter() - began


def measure(entry: Entry, home: Path, store: Path) -> Figures:
    """Click on `entry` in a Jupyter of its own; `store` is the one to copy."""
    root = home / "work"
    root.mkdir(parents=True)
    if entry.has_store:
        shutil.copy(store, root)
    with lab_server(home, config=entry.config(root), root=root) as lab:
        try:
            return click(lab, f"{lab.url}/{entry.path}/")
        finally:
            if entry.path != "mlflow":  # `lab_server` would complain of what it leaves behind
                end_children()


def click(lab: Lab, url: str) -> Figures:
    """Open the dashboard at `url` as a browser does."""
    # Whoever clicks has JupyterLab open.
    seconds_until_answered(lab, f"{lab.url}/lab", time.perf_counter())
    with ThreadPoolExecutor() as pool:
        began = time.perf_counter()
        page = pool.submit(seconds_until_answered, lab, url, began)
        api = pool.submit(seconds_until_answered, lab, url + API, began, "application/json")
        seconds = page.result(), api.result()
    memory = settled_memory(lab)
    ours = url.startswith(lab.mlflow_url)
    supervisor = memory[lab.supervisor] if ours else 0.0
    return Figures(*seconds, len(memory), sum(memory.values()), supervisor)


def seconds_until_answered(lab: Lab, url: str, began: float, accept: str = PAGE["Accept"]) -> float:
    """Ask for `url` until it answers 200; returns the seconds since `began`."""
    headers = {"Accept": accept, "Authorization": str(lab.session.headers["Authorization"])}
    answer = ""
    while time.perf_counter() - began < LIMIT:
        try:
            response = requests.get(url, headers=headers, timeout=LIMIT, allow_redirects=False)
            if response.ok and not response.is_redirect:
                return time.perf_counter() - began
            answer = f"{response.status_code} {response.text[:500]}"
        except requests.RequestException as error:
            answer = repr(error)
        time.sleep(POLL)
    raise TimeoutError(f"{url} is not up after {LIMIT:g} s: {answer}\n{lab.log.read_text()}")


def settled_memory(lab: Lab) -> dict[psutil.Process, float]:
    """MB of each process that the click started, once that changes no more."""
    before, now = None, memory_of_started(lab)
    while before is None or before.keys() != now.keys() or change(before, now) > SETTLED:
        time.sleep(SETTLING)
        before, now = now, memory_of_started(lab)
    return now


def change(before: dict[psutil.Process, float], now: dict[psutil.Process, float]) -> float:
    """By what part the whole has grown or shrunk."""
    return abs(sum(now.values()) / sum(before.values()) - 1)


def memory_of_started(lab: Lab) -> dict[psutil.Process, float]:
    """MB (PSS) of each process but Jupyter's own; no kernel is running."""
    result = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError):  # it has just ended
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            (pss,) = (line.split()[1] for line in lines if line.startswith("Pss:"))
            if process.pid != lab.process.pid:
                result[process] = int(pss) * 1024 / 1e6
    return result


def adopt_orphans() -> None:
    """Become the parent of what loses its own: `mlflow ui` leaves most of its processes behind."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("orphans cannot be adopted, so they could not be ended")


@contextlib.contextmanager
def nothing_left():
    """End all processes at the end, however that comes."""
    try:
        yield
    finally:
        end_children()


def end_children() -> None:
    """End all that this script has started: those that are asked may start others meanwhile."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(number)
        psutil.wait_procs(children, timeout=10)
    if children := psutil.Process().children(recursive=True):
        tell(f"left behind: {children}")


def table(imports: list[float], clicks: dict[Entry, list[Figures]]) -> str:
    """Format the medians, in Markdown."""
    bare = median(imports)
    rows = [
        "| | first page (s) | × import | API (s) | × import | processes | memory (MB) "
        "| supervisor (MB) | target |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --- |",
        f"| bare `{IMPORT}` | | | {bare:.2f} | 1 | | | | |",
    ]
    for entry, figures in clicks.items():
        page, api = median(each.page for each in figures), median(each.api for each in figures)
        supervisor = median(each.supervisor for each in figures)
        rows.append(
            f"| {entry.name} | {page:.2f} | {page / bare:.2f} | {api:.2f} | {api / bare:.2f} "
            f"| {median(each.processes for each in figures):g} "
            f"| {median(each.memory for each in figures):.0f} "
            f"| {f'{supervisor:.1f}' if supervisor else ''} | {entry.target} |"
        )
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return "\n".join(
        [
            *rows,
            "",
            f"Medians of {len(imports)} rounds, seconds from the click, memory as PSS. "
            f"Python {python_version()}, {versions}, {os.cpu_count()} cores.",
        ]
    )


def tell(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
