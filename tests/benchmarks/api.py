"""Latency of requests to MLflow's API, by layer, compared with a plain entry.

    python tests/benchmarks/api.py --rounds 30

One process serves unmodified MLflow and MLflow behind our middlewares, so that nothing else
differs. The same requests go to a Jupyter with this package (to MLflow's socket, and to the Lab
URL) and to a Jupyter with a plain entry. Each round sends them to all layers in random order.
There is no pass or fail.
"""

from __future__ import annotations

import http.client
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import adopt_orphans, end_children, plain_entry, rounds_of, run_python, tell, versions

from support.lab import TOKEN, lab_server
from support.processes import environment, running
from support.server import Connection
from support.waiting import wait_for

RUNS = 1000
MAKE_STORE = f"""
import mlflow
from mlflow.entities import Metric, Param
client = mlflow.MlflowClient()
for number in range({RUNS}):
    run = client.create_run("0", run_name=f"run-{{number}}").info.run_id
    metrics = [Metric(f"metric-{{i}}", number + i, 0, 0) for i in range(5)]
    params = [Param(f"param-{{i}}", str(number + i)) for i in range(5)]
    client.log_batch(run, metrics, params)
"""
API = "/api/2.0/mlflow/"
BATCH = 100  # metrics
SERVER = Path(__file__).parents[1] / "resources" / "serve_mlflow.py"
LAYERS = ("MLflow", "our middlewares", "our MLflow's socket", "our Lab URL", "plain entry")

Send = Callable[[str, str, object], bytes]  # method, path, JSON


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 30)
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="mlflow-api-") as folder:
        base = Path(folder)
        tell(f"making a store of {RUNS} runs")
        run_python(MAKE_STORE, base, MLFLOW_TRACKING_URI=f"sqlite:///{base}/mlflow.db")
        try:
            with ExitStack() as stack:
                layers = dict(zip(LAYERS, stack.enter_context(servers(base)), strict=True))
                print(table(measure(layers, rounds)))
        finally:
            end_children()
    return 0


@contextmanager
def servers(base: Path) -> Iterator[list[Send]]:
    """Run the servers on copies of the store; yields a `Send` for each of `LAYERS`."""
    with ExitStack() as stack:
        roots = []
        for name in ("bare", "ours", "plain"):
            root = base / name / "work"
            root.mkdir(parents=True)
            shutil.copy(base / "mlflow.db", root)
            roots.append(root)
        bare, ours, plain = roots
        sockets = [base / "bare.socket", base / "wrapped.socket"]
        store = f"sqlite:///{bare}/mlflow.db"
        command = [sys.executable, str(SERVER), store, str(bare / "artifacts"), *map(str, sockets)]
        env = environment(bare.parent)
        stack.enter_context(running(command, cwd=bare, env=env, log=base / "bare.log"))
        lab = stack.enter_context(lab_server(ours.parent, root=ours, program="lab"))
        lab.wait_until("ready")
        socket = lab.mlflow_socket
        other = stack.enter_context(
            lab_server(plain.parent, root=plain, config=plain_entry(plain), program="lab")
        )
        stack.callback(end_children)  # else `lab_server` reports the plain entry's processes
        wait_for(lambda: other.session.get(f"{other.url}/plain/health", timeout=180).ok, 180)
        wait_for(lambda: all(each.exists() for each in sockets), 60)
        yield [
            *(over_socket(each) for each in (*sockets, socket)),
            stack.enter_context(over_port(lab.url, "/mlflow")),
            stack.enter_context(over_port(other.url, "/plain")),
        ]


def over_socket(path: Path) -> Send:
    """Send over a unix socket, with a connection for each request, as Jupyter does."""

    def send(method: str, address: str, body: object) -> bytes:
        connection = Connection(path)
        try:
            return exchange(connection, method, address, body, {})
        finally:
            connection.close()

    return send


@contextmanager
def over_port(url: str, prefix: str) -> Iterator[Send]:
    """Send to Jupyter over one connection, as MLflow's client and browsers do."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Authorization": f"token {TOKEN}"}
    yield lambda method, path, body: exchange(connection, method, prefix + path, body, headers)
    connection.close()


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object,
    headers: dict[str, str],
) -> bytes:
    """Send a request; returns the response body."""
    if body is None:
        connection.request(method, path, headers=headers)
    else:
        headers = {**headers, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body).encode(), headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.client.OK:
        raise ValueError(f"{method} {path}: {response.status} {answer[:500]!r}")
    return answer


def measure(layers: dict[str, Send], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Send to all layers; returns the seconds by kind of request and by layer."""
    runs = {name: create_run(send) for name, send in layers.items()}
    kinds: dict[str, Callable[[str], tuple[str, str, object]]] = {
        f"`runs/search`, {RUNS} runs": lambda _: (
            "POST",
            f"{API}runs/search",
            {"experiment_ids": ["0"], "max_results": RUNS},
        ),
        "`experiments/get`": lambda _: ("GET", f"{API}experiments/get?experiment_id=0", None),
        f"`runs/log-batch`, {BATCH} metrics": lambda name: (
            "POST",
            f"{API}runs/log-batch",
            {"run_id": runs[name], "metrics": batch()},
        ),
    }
    seconds: dict[str, dict[str, list[float]]] = {
        kind: {name: [] for name in layers} for kind in kinds
    }
    order = list(layers)
    for number in range(-2, rounds):  # two warm-up rounds for caches and connections
        random.shuffle(order)
        for kind, request in kinds.items():
            for name in order:
                arguments = request(name)
                began = time.perf_counter()
                layers[name](*arguments)
                if number >= 0:
                    seconds[kind][name].append(time.perf_counter() - began)
        tell(f"round {number + 1} of {rounds}")
    return seconds


def create_run(send: Send) -> str:
    """Create a run to log to."""
    answer = send("POST", f"{API}runs/create", {"experiment_id": "0"})
    return str(json.loads(answer)["run"]["info"]["run_id"])


def batch() -> list[dict[str, object]]:
    """Make metrics that were not logged before."""
    now = time.time_ns() // 1_000_000
    return [
        {"key": f"metric-{i}", "value": random.random(), "timestamp": now, "step": 0}
        for i in range(BATCH)
    ]


def table(seconds: dict[str, dict[str, list[float]]]) -> str:
    """Format the medians in milliseconds, and the difference from unmodified MLflow."""
    lines = [f"| | {' | '.join(LAYERS)} |", f"| --- |{' --: |' * len(LAYERS)}"]
    for kind, figures in seconds.items():
        cells = []
        for name in LAYERS:
            # Paired by round: a slow round affects all layers.
            pairs = zip(figures[name], figures[LAYERS[0]], strict=True)
            more = median(100 * (ours / theirs - 1) for ours, theirs in pairs)
            cells.append(f"{1000 * median(figures[name]):.1f} ({more:+.1f} %)")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Median ms, and the difference from MLflow itself.", versions()])


if __name__ == "__main__":
    sys.exit(main())
