"""A tracking server elsewhere: through the tile, beside straight at that server, as ratios.

    python tests/benchmarks/remote.py [GB]

From the click: the first page and the dashboard in Chromium, the tile stopped. Then a small
request, an upload and a download, through Jupyter and straight.
The server is a real `mlflow server` on this machine. There is no pass or fail.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import tell, versions

from support.browser import chromium
from support.lab import TOKEN, Lab, lab_server
from support.tracking_server import TrackingServer, tracking_server
from support.waiting import wait_for

MB = 1_000_000
ROUNDS = 100  # small requests each way in a round
TRANSFERS = 3  # rounds
CLICKS = 3
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/large.bin"
HEADERS = {"Authorization": f"token {TOKEN}"}
IDLE = 5  # seconds
CHUNK = 1 << 20  # bytes

Connect = Callable[[], http.client.HTTPConnection]


def ways(lab: Lab, server: TrackingServer) -> dict[str, tuple[Connect, str]]:
    """How a client reaches the server: a connection and the prefix of a path."""
    jupyter = urlsplit(lab.mlflow_url)
    return {
        "straight": (lambda: http.client.HTTPConnection("127.0.0.1", server.port, 600), ""),
        "Jupyter": (lambda: http.client.HTTPConnection(jupyter.netloc, timeout=600), jupyter.path),
    }


def small(connect: Connect, prefix: str) -> float:
    """The median seconds of a small request on one connection."""
    connection, seconds = connect(), []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        connection.request("GET", prefix + SEARCH, headers=HEADERS)
        connection.getresponse().read()
        seconds.append(time.perf_counter() - began)
    connection.close()
    return median(seconds)


def upload(connect: Connect, prefix: str, size: int) -> float:
    """The seconds of an upload of `size` bytes."""
    connection, began, chunk = connect(), time.perf_counter(), b"x" * CHUNK
    body = (chunk[: min(CHUNK, size - at)] for at in range(0, size, CHUNK))
    headers = {**HEADERS, "Content-Length": str(size)}
    connection.request("PUT", prefix + ARTIFACT, body, headers)
    response = connection.getresponse()
    if response.status != http.client.OK:
        raise ValueError(response.read())
    connection.close()
    return time.perf_counter() - began


def download(connect: Connect, prefix: str, size: int) -> float:
    """The seconds of a download of `size` bytes."""
    connection, began, received = connect(), time.perf_counter(), 0
    connection.request("GET", prefix + ARTIFACT, headers=HEADERS)
    response = connection.getresponse()
    while chunk := response.read(CHUNK):
        received += len(chunk)
    connection.close()
    if received != size:
        raise ValueError(f"{received} of {size} bytes")
    return time.perf_counter() - began


def clicks(lab: Lab, server: TrackingServer) -> None:
    """Print the seconds from the click to the first page and to the dashboard."""
    with chromium() as browser:
        rows = {"through the tile, stopped before": lab.mlflow_url, "straight": server.url}
        for name, url in rows.items():
            first, dashboard = [], []
            for _ in range(CLICKS):
                if url == lab.mlflow_url:
                    wait_for(lambda: lab.status()["state"] == "idle", 60)
                context = browser.new_context(extra_http_headers=HEADERS)
                page, began = context.new_page(), time.perf_counter()
                page.goto(f"{url}/", wait_until="commit")
                first.append(time.perf_counter() - began)
                page.locator("#root > *").first.wait_for(timeout=60_000)
                dashboard.append(time.perf_counter() - began)
                context.close()
            print(f"| {name} | {median(first):.2f} | {median(dashboard):.2f} |", flush=True)


def memory(lab: Lab) -> float:
    """The proportional memory of MLflow's process in MB."""
    return lab.mlflow.memory_full_info().pss / MB


def measured(all_ways: dict[str, tuple[Connect, str]], size: int) -> dict[str, list[float]]:
    """Median seconds of a small request, an upload and a download, each way."""
    rounds: dict[str, list[list[float]]] = {name: [] for name in all_ways}
    for _ in range(TRANSFERS):
        for name, (connect, prefix) in all_ways.items():
            transfers = (upload(connect, prefix, size), download(connect, prefix, size))
            rounds[name].append([small(connect, prefix), *transfers])
    return {name: [median(each) for each in zip(*of, strict=True)] for name, of in rounds.items()}


def main(gigabytes: float) -> None:
    """Measure and print."""
    size = int(gigabytes * 1000) * MB
    with tempfile.TemporaryDirectory(prefix="mlflow-remote-") as folder:
        home = Path(folder)
        config = f"c.MLflowProxy.idle_timeout = {IDLE}"
        with (
            tracking_server(home / "server") as server,
            lab_server(
                home / "lab", env={"MLFLOW_TRACKING_URI": server.url}, config=config, program="lab"
            ) as lab,
        ):
            lab.wait_until("ready")
            print("| page | first (s) | dashboard (s) |\n| --- | --: | --: |")
            clicks(lab, server)
            tell("the clicks are done")
            lab.get(SEARCH)
            lab.wait_until("ready")
            before = memory(lab)
            print(
                "\n| way | small (ms) | added (ms) | up (MB/s) | of straight | down | of straight |"
            )
            print("| --- | --: | --: | --: | --: | --: | --: |")
            rows = measured(ways(lab, server), size)
            straight = rows["straight"]
            for name, row in rows.items():
                speeds = [size / MB / seconds for seconds in row[1:]]
                up, down = (100 * straight[at] / row[at] for at in (1, 2))
                print(
                    f"| {name} | {1000 * row[0]:.1f} | {1000 * (row[0] - straight[0]):+.1f} "
                    f"| {speeds[0]:.0f} | {up:.0f} % | {speeds[1]:.0f} | {down:.0f} % |",
                    flush=True,
                )
            print(f"\nIts process: {before:.0f} MB before, {memory(lab):.0f} MB after.")
            print(f"{gigabytes:g} GB. {versions()}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
