"""Upload and download of a large artifact through Jupyter, by each client.

    python tests/benchmarks/transport.py [GB]

Through JupyterLab and through JupyterHub with its proxy: plain HTTP, MLflow's own client with a
Jupyter token, and the download button of the dashboard. The latency of a kernel is measured during
the transfer. The plain entry is not measured: it fails above 100 MB. There is no pass or fail.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import psutil
import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import run_python, tell, versions

from support.browser import chromium
from support.hub import hub_server
from support.kernel import time_kernel
from support.lab import PAGE, TOKEN, lab_server
from support.processes import describe, processes_of
from support.waiting import wait_for
from support.watch import Watch

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
MB = 1_000_000
INTERVAL = 0.02  # seconds between requests to the kernel
LOG_MODEL = """
import os, mlflow
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return model_input
mlflow.set_experiment("large")
with mlflow.start_run():
    mlflow.pyfunc.log_model(
        name="model", python_model=Model(), artifacts={"weights": os.environ["LARGE"]},
        pip_requirements=["mlflow"],
    )
"""
DOWNLOAD = """
import os, mlflow
mlflow.set_experiment("large")
(model,) = mlflow.search_logged_models(output_format="list")
path = mlflow.artifacts.download_artifacts(
    f"{model.artifact_location}/artifacts/large.bin", dst_path=os.environ["TARGET"]
)
assert os.path.getsize(path) == os.path.getsize(os.environ["LARGE"]), path
"""


@dataclass(frozen=True)
class Server:
    """A Jupyter server whose MLflow is running."""

    name: str
    url: str
    token: str
    jupyter: psutil.Process
    home: Path


@contextmanager
def measured(server: Server, what: str, size: int) -> Iterator[None]:
    """Print time, throughput, memory growth and kernel latency of the block."""
    # The kernel is timed in another process: in this one the transfer would delay it.
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(1, spawn) as pool:
        started, done = manager.Event(), manager.Event()
        answers = pool.submit(time_kernel, server.url, server.token, started, done, INTERVAL)
        try:
            wait_for(lambda: started.is_set() or answers.done(), 60)
            with Watch(server.url, server.token, server.jupyter.pid) as watch:
                began = time.monotonic()
                yield
                seconds = time.monotonic() - began
        finally:
            done.set()
    kernel = [1000 * each for each in answers.result()]
    print(
        f"| {server.name} | {what} | {seconds:.1f} | {size / MB / seconds:.0f} "
        f"| {watch.growth / MB:+.1f} "
        f"| {median(kernel):.0f} | {quantiles(kernel, n=100)[-1]:.0f} | {max(kernel):.0f} |",
        flush=True,
    )


def transfer(server: Server, large: Path) -> None:
    """Upload and download `large` by HTTP and with MLflow's client."""
    size = large.stat().st_size
    artifact = f"{server.url}/mlflow{ARTIFACTS}/large.bin"
    with requests.Session() as session:
        session.headers["Authorization"] = f"token {server.token}"
        with measured(server, "HTTP, upload", size), large.open("rb") as file:
            session.put(artifact, data=file, timeout=600).raise_for_status()
        with measured(server, "HTTP, download", size):
            answer = session.get(artifact, stream=True, timeout=600)
            received = sum(map(len, answer.iter_content(MB)))
        if received != size:
            raise ValueError(f"{received} of {size} bytes")
        session.delete(artifact, timeout=60).raise_for_status()
    with tempfile.TemporaryDirectory(dir=large.parent) as target:
        client = {
            "MLFLOW_TRACKING_URI": f"{server.url}/mlflow",
            # MLflow's client sends `Bearer`; Jupyter accepts it like `token`.
            "MLFLOW_TRACKING_TOKEN": server.token,
            "LARGE": str(large),
            "TARGET": target,
        }
        with measured(server, "MLflow's client, a model's upload", size):
            run_python(LOG_MODEL, large.parent, **client)
        with measured(server, "MLflow's client, its download", size):
            run_python(DOWNLOAD, large.parent, **client)


def press_download(server: Server, run: str, size: int) -> None:
    """Download the model's file with the button on the page of its `run`."""
    with chromium() as browser, tempfile.TemporaryDirectory(dir=server.home) as folder:
        context = browser.new_context(extra_http_headers={"Authorization": f"token {TOKEN}"})
        page = context.new_page()
        page.goto(f"{server.url}/mlflow/#/experiments/1/runs/{run}/artifacts")
        page.get_by_text("artifacts", exact=True).first.click()
        page.get_by_text("large.bin").first.click()
        with measured(server, "dashboard's button", size):
            with page.expect_download(timeout=600_000) as download:
                page.locator("button[data-component-id*=artifactview]").first.click()
            path = Path(folder) / "large.bin"
            download.value.save_as(path)
        if path.stat().st_size != size:
            raise ValueError(f"{path.stat().st_size} of {size} bytes")


def in_lab(base: Path, large: Path) -> None:
    """Measure JupyterLab."""
    with lab_server(base / "lab", program="lab") as lab:
        lab.wait_until("ready")
        server = Server("JupyterLab", lab.url, TOKEN, psutil.Process(lab.process.pid), large.parent)
        transfer(server, large)
        (run,) = lab.api("runs/search", {"experiment_ids": ["1"]})["runs"]
        press_download(server, run["info"]["run_id"], large.stat().st_size)


def in_hub(base: Path, large: Path) -> None:
    """Measure JupyterHub behind configurable-http-proxy."""
    home = base / "hub"
    home.mkdir()
    with hub_server(home) as hub:
        hub.start_server("alice")
        token = hub.token("alice")
        headers = {"Authorization": f"token {token}", "Host": hub.host}
        page = requests.get(hub.mlflow("alice"), headers={**headers, **PAGE}, timeout=30)
        page.raise_for_status()  # starts MLflow
        status = hub.mlflow("alice", "/_proxy/status")
        wait_for(
            lambda: requests.get(status, headers=headers, timeout=30).json()["state"] == "ready", 90
        )
        (jupyter,) = (
            process
            for process in processes_of(home / "alice")
            if "jupyterhub-singleuser" in describe(process)
        )
        url = f"{hub.address}/user/alice"
        transfer(Server("JupyterHub", url, token, jupyter, large.parent), large)


def main(gigabytes: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="mlflow-transport-") as folder:
        base = Path(folder)
        for name in ("lab", "client"):
            (base / name).mkdir()
        large = base / "client" / "large.bin"
        with large.open("wb") as file:
            file.truncate(int(gigabytes * 1000) * MB)
        print("| through | how | s | MB/s | Jupyter (MB) | kernel, median (ms) | 99 % | most |")
        print("| --- | --- | --: | --: | --: | --: | --: | --: |")
        in_lab(base, large)
        tell("JupyterLab is done")
        in_hub(base, large)
        print(f"\n{gigabytes:g} GB. {versions()}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2)
