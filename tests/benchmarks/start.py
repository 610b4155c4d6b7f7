"""Time from the click to MLflow, and memory, compared with a plain entry.

    python tests/benchmarks/start.py --rounds 3

Every round measures all entries in turn, so that a slowdown of the machine affects all. The
installed package is measured. Linux only. There is no pass or fail.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import adopt_orphans, end_children, plain_entry, rounds_of, run_python, tell, versions

from support.lab import PAGE, Lab, lab_server
from support.waiting import wait_for

API = "ajax-api/2.0/mlflow/experiments/search?max_results=1"
# Without the interpreter's shutdown (up to a second), which is not part of a start.
IMPORT = "import os, mlflow.server.fastapi_app; os._exit(0)"
MAKE_STORE = "import mlflow; mlflow.MlflowClient().create_experiment('benchmark')"
POLL = 0.05  # seconds between requests
LIMIT = 180.0  # seconds until MLflow must be up
SETTLING = 3.0  # seconds during which processes and memory must not change (within 1 %)

PRESTART = "ours, `prestart`"
# Row, path below Jupyter's URL, whether a store exists, target.
ENTRIES = (
    ("plain `mlflow ui`, existing store", "plain", True, "API ≥ 4 x import"),
    ("ours, existing store", "mlflow", True, "page ≤ 0.03 s, API ≤ 1.3 x import, 1, ≤ 275 MB"),
    ("ours, fresh store", "mlflow", False, "page ≤ 0.03 s, API ≤ 1.6 x import, 1, ≤ 275 MB"),
    (PRESTART, "mlflow", True, "page, API ≤ 0.5 s"),
)
HEAD = """\
| | first page (s) | x import | API (s) | x import | processes | memory (MB) \
| target |
| --- | --: | --: | --: | --: | --: | --: | --- |"""


@dataclass(frozen=True)
class Figures:
    """Seconds from one click; processes and memory in MB (PSS) afterwards."""

    page: float
    api: float
    processes: int
    memory: float


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 3)
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="mlflow-start-") as folder:
        try:
            print(table(*measure(rounds, Path(folder))))
        finally:
            end_children()
    return 0


def measure(rounds: int, base: Path) -> tuple[list[float], list[list[Figures]]]:
    """Measure all in turn; returns seconds of bare imports, and figures of each of `ENTRIES`."""
    imports: list[float] = []
    clicks: list[list[Figures]] = [[] for _ in ENTRIES]
    # This also loads MLflow into the page cache; no figure includes a cold disk.
    run_python(MAKE_STORE, base, MLFLOW_TRACKING_URI=f"sqlite:///{base}/mlflow.db")
    for number in range(1, rounds + 1):
        for figures, (row, path, has_store, _) in zip(clicks, ENTRIES, strict=True):
            home = Path(tempfile.mkdtemp(dir=base))
            store = base / "mlflow.db" if has_store else None
            figures.append(click(path, home, store, prestart=row == PRESTART))
            tell(f"round {number}, {row}: API {figures[-1].api:.2f} s")
        imports.append(run_python(IMPORT, base))
        tell(f"round {number}, bare import: {imports[-1]:.2f} s")
    return imports, clicks


def click(path: str, home: Path, store: Path | None, prestart: bool = False) -> Figures:
    """Send the requests of a click on the tile to a new Jupyter with a copy of `store`."""
    root = home / "work"
    root.mkdir(parents=True)
    if store:
        shutil.copy(store, root)
    config = plain_entry(root) if path == "plain" else f"c.MLflowProxy.prestart = {prestart}"
    with (
        ThreadPoolExecutor() as pool,
        lab_server(home, config=config, root=root, program="lab") as lab,
    ):
        try:
            # The user has JupyterLab open before the click.
            seconds_until_up(lab, "lab", PAGE["Accept"], time.perf_counter())
            if prestart:
                wait_for(lambda: has_started(lab), LIMIT)
            began = time.perf_counter()
            page = pool.submit(seconds_until_up, lab, f"{path}/", PAGE["Accept"], began)
            api = pool.submit(seconds_until_up, lab, f"{path}/{API}", "application/json", began)
            seconds = page.result(), api.result()
            memory = settled_memory(lab)
            return Figures(*seconds, len(memory), sum(memory.values()))
        finally:
            if path == "plain":  # else `lab_server` reports its remaining processes
                end_children()


def has_started(lab: Lab) -> bool:
    """Whether MLflow was started without a request."""
    return lab.mlflow_log.exists() and "MLflow is ready" in lab.mlflow_log.read_text()


def seconds_until_up(lab: Lab, path: str, accept: str, began: float) -> float:
    """Request `path` until it answers 200; returns the seconds since `began`."""
    headers = {"Accept": accept, "Authorization": str(lab.session.headers["Authorization"])}
    url, answer = f"{lab.url}/{path}", ""
    while time.perf_counter() - began < LIMIT and lab.process.poll() is None:
        try:
            response = requests.get(url, headers=headers, timeout=LIMIT, allow_redirects=False)
        except requests.RequestException as error:
            answer = repr(error)
        else:
            if response.status_code == requests.codes.ok:
                return time.perf_counter() - began
            answer = f"{response.status_code} {response.text[:500]}"
        time.sleep(POLL)
    raise TimeoutError(f"{lab.log.read_text()}\n{url} did not come up: {answer}")


def settled_memory(lab: Lab) -> dict[psutil.Process, float]:
    """MB (PSS) of each process that the click started, once it is stable."""
    deadline = time.perf_counter() + LIMIT
    before: dict[psutil.Process, float] = {}
    now = memory_of_started(lab)
    while before.keys() != now.keys() or abs(sum(now.values()) / sum(before.values()) - 1) > 0.01:
        if time.perf_counter() > deadline:
            tell("processes or memory still change")
            break
        time.sleep(SETTLING)
        before, now = now, memory_of_started(lab)
    return now


def memory_of_started(lab: Lab) -> dict[psutil.Process, float]:
    """MB (PSS) of each process but Jupyter's own; no kernel is running."""
    result = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError):  # it has just ended
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            (pss,) = (line.split()[1] for line in lines if line.startswith("Pss:"))
            result[process] = int(pss) * 1024 / 1e6
    return {process: pss for process, pss in result.items() if process.pid != lab.process.pid}


def table(imports: list[float], clicks: list[list[Figures]]) -> str:
    """Format the medians, in Markdown."""
    bare = median(imports)
    lines = [HEAD, f"| bare `import mlflow.server.fastapi_app` | | | {bare:.2f} | 1.00 | | | |"]
    for figures, (row, *_, target) in zip(clicks, ENTRIES, strict=True):
        page, api = median(each.page for each in figures), median(each.api for each in figures)
        lines.append(
            f"| {row} | {page:.2f} | {page / bare:.2f} | {api:.2f} | {api / bare:.2f} "
            f"| {median(each.processes for each in figures):g} "
            f"| {median(each.memory for each in figures):.0f} "
            f"| {target} |"
        )
    seconds = f"Medians of {len(imports)} round(s); seconds from the click, memory as PSS."
    return "\n".join([*lines, "", f"{seconds} {versions()}"])


if __name__ == "__main__":
    sys.exit(main())
