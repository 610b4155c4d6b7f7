"""A judge from the click to the assessment; processes and memory before, during and after.

    python tests/benchmarks/jobs.py --rounds 3

Compares with `mlflow server` as it ships. The model is a server on loopback that answers at once.
Every round measures both in turn. Linux only. There is no pass or fail.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import adopt_orphans, end_children, rounds_of, tell, versions

from support.judged_store import INVOKE, JudgedStore, assessments
from support.model_server import ModelServer, model_server
from support.processes import BIN, environment, free_ports
from support.server import mlflow_of, pool
from support.waiting import wait_for

LIMIT = 600.0  # seconds for a start, or for a job
SETTLING = 15.0  # seconds after a start or a job, for processes that start or end with it
POLL = 0.1  # seconds between measurements during a job
JSON = {"Content-Type": "application/json"}
HEAD = """\
| | click to assessment (s) | before | during | after |
| --- | --: | --: | --: | --: |"""

WHEN = ("before", "during", "after")

Size = tuple[int, float]  # processes, and their memory in MB (PSS)
Click = Callable[[], None]


@dataclass(frozen=True)
class Figures:
    """Of one judge."""

    seconds: float
    before: Size
    during: Size
    after: Size


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 3)
    adopt_orphans()
    figures: dict[str, list[Figures]] = {"plain `mlflow server`": [], "this": []}
    with tempfile.TemporaryDirectory(prefix="mlflow-jobs-") as base, model_server() as model:
        folder = Path(base)
        store = JudgedStore(folder, model.url)
        try:
            for number in range(1, rounds + 1):
                for (row, kept), run in zip(figures.items(), (plain, ours), strict=True):
                    home = Path(tempfile.mkdtemp(dir=folder))
                    database = store.copy_to(home)
                    with run(home, model, store) as click:
                        kept.append(measure(click, database))
                    tell(f"round {number}, {row}: {kept[-1]}")
        finally:
            end_children()
    print(HEAD)
    for row, kept in figures.items():
        sizes = [median_of([getattr(each, when) for each in kept]) for when in WHEN]
        print(f"| {row} | {median(each.seconds for each in kept):.1f} | {' | '.join(sizes)} |")
    print(f"\nMedians of {rounds} round(s): processes, and their memory as PSS. {versions()}")
    return 0


def median_of(sizes: list[Size]) -> str:
    """Format the medians."""
    processes, memory = zip(*sizes, strict=True)
    return f"{median(processes):g}, {median(memory):.0f} MB"


def measure(click: Click, database: Path) -> Figures:
    """Click "Run judge", and wait for the assessment in `database`."""
    time.sleep(SETTLING)
    before = during = size()
    began = time.perf_counter()
    click()
    while not assessments(database):
        assert time.perf_counter() < began + LIMIT
        during = max(during, size(), key=lambda each: each[1])
        time.sleep(POLL)
    seconds = time.perf_counter() - began
    time.sleep(SETTLING)
    return Figures(seconds, before, during, size())


def size() -> Size:
    """Number and memory (PSS) of this process's descendants."""
    total, count = 0, 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            (pss,) = (line.split()[1] for line in lines if line.startswith("Pss:"))
            total, count = total + int(pss) * 1024, count + 1
    return count, total / 1e6


@contextmanager
def ours(home: Path, model: ModelServer, store: JudgedStore) -> Iterator[Click]:
    """Run Jupyter and MLflow; yields what runs the judge."""
    body = json.dumps(store.invocation())
    options = ["--job-execution"]
    # Jupyter ends with it, else it would count as the next row's.
    with closing(pool), mlflow_of(home, options=options, **model.variables) as server:
        wait_for(lambda: server.status()["state"] == "ready", LIMIT)
        yield lambda: answered(server.request(INVOKE, "POST", JSON, body)[0])


@contextmanager
def plain(home: Path, model: ModelServer, store: JudgedStore) -> Iterator[Click]:
    """Run `mlflow server`; yields what runs the judge."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [str(BIN / "mlflow"), "server", f"--port={port}"]
    command.append(f"--backend-store-uri=sqlite:///{home}/mlflow.db")
    with (home / "log").open("wb") as log:
        subprocess.Popen(
            command, cwd=home, env=environment(home, model.variables), stdout=log, stderr=log
        )
        try:
            wait_for(lambda: is_up(url), LIMIT)
            body = store.invocation()
            yield lambda: answered(requests.post(url + INVOKE, json=body, timeout=60).status_code)
        finally:
            end_children()


def is_up(url: str) -> bool:
    """Whether a server answers at `url`."""
    try:
        return requests.get(f"{url}/health", timeout=10).ok
    except requests.RequestException:
        return False


def answered(status: int) -> None:
    """Check the answer to a click."""
    assert status == requests.codes.ok, status


if __name__ == "__main__":
    sys.exit(main())
