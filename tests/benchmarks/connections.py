"""Connections to a database server that a tile holds: at rest, under load, and after it.

    python tests/benchmarks/connections.py

It needs Debian's package `postgresql`. "MLflow's own" are the pools as MLflow ships them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import versions

from support.postgres import Postgres, postgres_server
from support.server import Server, mlflow_of, pool
from support.waiting import wait_for

DATABASE = "mlflow"
POST = {"Content-Type": "application/json"}
# The requests of a dashboard: runs, experiments, traces, models.
REQUESTS = (
    ("/ajax-api/2.0/mlflow/experiments/search?max_results=25", ""),
    ("/ajax-api/2.0/mlflow/runs/search", '{"experiment_ids": ["0"]}'),
    ("/ajax-api/2.0/mlflow/registered-models/search?max_results=25", ""),
    ("/ajax-api/2.0/mlflow/experiments/get?experiment_id=0", ""),
    ("/ajax-api/2.0/mlflow/logged-models/search", '{"experiment_ids": ["0"]}'),
)
MLFLOWS_OWN = {
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "5",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "10",
}
HEAD = """\
| pools | at rest | 20 requests at once, most | after them | 200 such requests (s) |
| --- | --: | --: | --: | --: |"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parallel", type=int, default=20, help="requests at once")
    parser.add_argument("--pool", nargs=2, metavar=("SIZE", "OVERFLOW"), help="another pool")
    options = parser.parse_args()
    pools = {"MLflow's own": MLFLOWS_OWN, "this package's": {}}
    if options.pool:
        pools = {" + ".join(options.pool): dict(zip(MLFLOWS_OWN, options.pool, strict=True))}
    with (
        postgres_server() as postgres,
        tempfile.TemporaryDirectory() as base,
        closing(pool),  # the Jupyter servers of `mlflow_of`
    ):
        postgres.run("createdb", DATABASE)
        print(HEAD)
        for number, (name, variables) in enumerate(pools.items()):
            folder = Path(base) / str(number)
            folder.mkdir()
            uri = postgres.uri(DATABASE)
            with mlflow_of(folder, MLFLOW_BACKEND_STORE_URI=uri, **variables) as server:
                print(f"| {name} | {measure(postgres, server, options.parallel)} |")
    print(f"\n{versions()}")
    return 0


def measure(postgres: Postgres, server: Server, parallel: int) -> str:
    """Connections at rest, at most under load and after it; seconds that the load took."""
    server.wait_until("ready")
    for request in REQUESTS:
        send(server, request)
    rest = postgres.connections(DATABASE)
    with watching(postgres) as seen:
        began = time.perf_counter()
        with ThreadPoolExecutor(parallel) as threads:
            requests = [REQUESTS[number % len(REQUESTS)] for number in range(200)]
            for answer in [threads.submit(send, server, each) for each in requests]:
                answer.result()
        seconds = time.perf_counter() - began
    after = wait_for(lambda: postgres.connections(DATABASE))
    return f"{rest} | {max(seen)} | {after} | {seconds:.1f}"


def send(server: Server, request: tuple[str, str]) -> None:
    """Send `request`, a path and a body."""
    path, body = request
    status, _, answer = server.request(path, "POST" if body else "GET", POST, body)
    if status != 200:
        raise AssertionError(f"{path}: {status} {answer}")


@contextmanager
def watching(postgres: Postgres) -> Iterator[list[int]]:
    """Count the connections, again and again, while the context lasts."""
    seen: list[int] = []
    ended = threading.Event()

    def count() -> None:
        while not ended.wait(0.05):
            seen.append(postgres.connections(DATABASE))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
