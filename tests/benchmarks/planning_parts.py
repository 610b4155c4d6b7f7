"""What one user of a hub costs, measured on this machine; for planning.py. Linux only."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import psutil
from common import tell

from support.lab import PAGE, Lab, lab_server
from support.postgres import postgres_server
from support.processes import family_of
from support.server import mlflow_of, pool
from support.waiting import wait_for

MB = 1e6
IDLE = 5  # seconds, the idle time-out here
ACTIONS = 20  # clicks that are measured
PARALLEL = 20  # requests at once, as of a page with many charts
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=20"
WITHOUT = (
    """c.ServerApp.jpserver_extensions = {"mlflow_proxy": False, "jupyter_server_proxy": False}"""
)
OWN_MEMORY = """
def pss():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
before = pss()
import mlflow
with mlflow.start_run():
    mlflow.log_metric("loss", 0.25)
print(before, pss())
"""


@dataclass(frozen=True)
class Parts:
    """Memory in MB (PSS), processor time in seconds of one core, connections to PostgreSQL."""

    jupyter: float
    never_opened: float
    mlflow: float
    kernel: float
    first_start: float
    later_start: float
    action: float
    connections: float
    connections_in_use: float

    def table(self) -> str:
        """All parts, in Markdown."""
        rows = [f"| {NAMES[f.name]} | {getattr(self, f.name):.3g} |" for f in fields(self)]
        return "\n".join(["| part of one user | |", "| --- | --: |", *rows])


NAMES = {
    "jupyter": "Jupyter server, without the package and jupyter-server-proxy (MB)",
    "never_opened": "the tile, never opened (MB)",
    "mlflow": "MLflow, until it is stopped (MB)",
    "kernel": "a kernel that has logged a run (MB)",
    "first_start": "processor time of the first click, with a new store (s)",
    "later_start": "processor time of a click after an idle stop (s)",
    "action": "processor time of a click in the dashboard (s)",
    "connections": "connections of a tile at rest, with PostgreSQL",
    "connections_in_use": f"connections of a tile after {PARALLEL} requests at once",
}


def measure() -> Parts:
    """Measure all parts; takes about a minute."""
    with tempfile.TemporaryDirectory(prefix="mlflow-planning-") as folder:
        home = Path(folder)
        with lab_server(home / "without", config=WITHOUT, program="lab") as lab:
            jupyter = memory_of_jupyter(lab)
        tell("Jupyter alone is measured")
        with lab_server(
            home / "with", config=f"c.MLflowProxy.idle_timeout = {IDLE}", program="lab"
        ) as lab:
            parts = {"jupyter": jupyter, "never_opened": memory_of_jupyter(lab) - jupyter}
            parts |= measure_tile(lab)
            tell("the tile is measured")
            parts["kernel"] = float(lab.run_in_kernel(OWN_MEMORY).split()[-1])
        at_rest, in_use = connections(home / "postgres")
        return Parts(**parts, connections=at_rest, connections_in_use=in_use)


def memory_of_jupyter(lab: Lab) -> float:
    """MB of the Jupyter server of `lab` after JupyterLab has been opened."""
    lab.session.get(f"{lab.url}/lab", headers=PAGE, timeout=60).raise_for_status()
    lab.session.get(f"{lab.url}/api/contents", timeout=60).raise_for_status()
    return memory(psutil.Process(lab.process.pid))


def measure_tile(lab: Lab) -> dict[str, float]:
    """Open the tile, use it, wait until MLflow is stopped, and use it again."""
    before = processor_time(lab)
    lab.wait_until("ready")
    first = processor_time(lab) - before
    before = processor_time(lab)
    for _ in range(ACTIONS):
        click(lab)
    action = (processor_time(lab) - before) / ACTIONS
    mlflow = memory(lab.mlflow)
    # Its processor time counts until Jupyter has seen its end.
    wait_for(lambda: lab.status()["state"] == "idle" and lab.status()["pid"] is None, 120)
    before = processor_time(lab)
    # Held until MLflow is up.
    lab.session.get(f"{lab.mlflow_url}{SEARCH}", timeout=300).raise_for_status()
    later = processor_time(lab) - before
    return {
        "mlflow": mlflow,
        "first_start": first,
        "later_start": later,
        "action": action,
    }


def click(lab: Lab) -> None:
    """Send the requests of a typical click: the list of experiments, and of runs."""
    lab.get(SEARCH).raise_for_status()
    lab.api("runs/search", {"experiment_ids": ["0"], "max_results": 100})
    lab.get("/ajax-api/2.0/mlflow/experiments/get?experiment_id=0").raise_for_status()


def memory(process: psutil.Process) -> float:
    """MB (PSS) of `process`."""
    return float(process.memory_full_info().pss) / MB


def processor_time(lab: Lab) -> float:
    """Seconds of processor time of all living processes of `lab`, Jupyter included."""
    times = [process.cpu_times() for process in family_of(lab.process.pid)]
    return sum(each.user + each.system for each in times)


def connections(home: Path) -> tuple[float, float]:
    """Connections of a tile to PostgreSQL: at rest, and after many requests at once."""
    home.mkdir()
    with postgres_server() as server, closing(pool):  # the Jupyter server of `mlflow_of`
        server.run("createdb", "planning")
        with mlflow_of(home, MLFLOW_BACKEND_STORE_URI=server.uri("planning")) as mlflow:
            mlflow.wait_until("ready", 180)
            count = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'planning'"
            mlflow.request(SEARCH)
            at_rest = int(server.query("planning", count)) - 1  # without the one that counts
            with ThreadPoolExecutor(PARALLEL) as threads:
                list(threads.map(mlflow.request, [SEARCH] * PARALLEL))
            return at_rest, int(server.query("planning", count)) - 1
