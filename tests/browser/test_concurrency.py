"""Concurrent writes to the default store, SQLite, during reads: no request fails with a lock error.

SQLite allows one writer at a time; other connections wait, with MLflow up to 20 seconds. A
write-ahead log would allow reads during a write. It requires shared memory between all connections,
so it does not work on a network file system (https://www.sqlite.org/wal.html), where homes on a hub
often are. The journal mode is stored in the database and would apply to every program that opens
it. The project therefore keeps MLflow's default, a rollback journal.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from support.browser import chromium
from support.lab import Lab
from support.waiting import wait_for

pytestmark = pytest.mark.browser
KERNELS, TABS, CLIENTS = 5, 2, 2
NAME = "run of a kernel"
METRICS, BATCHES, BATCH = 60, 6, 20  # of each kernel

LOG = f"""
import mlflow, pathlib, time
from mlflow.entities import Metric

run = mlflow.start_run(experiment_id={{experiment!r}}, run_name={NAME!r})
here = pathlib.Path({{folder!r}})
(here / run.info.run_id).touch()
while len(list(here.iterdir())) < {KERNELS}:  # so that all kernels write at the same time
    time.sleep(0.01)
for step in range({METRICS}):
    mlflow.log_metric("alone", step, step=step)
client = mlflow.MlflowClient()
for batch in range({BATCHES}):
    steps = range({BATCH} * batch, {BATCH} * (batch + 1))
    now = int(1000 * time.time())
    client.log_batch(run.info.run_id, [Metric("batch", step, now, step) for step in steps])
mlflow.end_run()
"""


def test_kernels_write_while_tabs_and_clients_read(lab: Lab) -> None:
    experiment = lab.api("experiments/create", {"name": "of many"})["experiment_id"]
    folder = lab.home / "ready"
    folder.mkdir()
    code = LOG.format(experiment=experiment, folder=str(folder))
    is_done = threading.Event()
    with ThreadPoolExecutor(KERNELS + CLIENTS) as pool, chromium() as browser:
        kernels = [pool.submit(lab.run_in_kernel, code) for _ in range(KERNELS)]
        clients = [pool.submit(read, lab, experiment, is_done) for _ in range(CLIENTS)]
        try:
            seen: list[int] = []
            context = browser.new_context(extra_http_headers=dict(lab.session.headers))
            pages = [context.new_page() for _ in range(TABS)]
            for page in pages:
                page.on("response", lambda each: seen.append(each.status))
            wait_for(lambda: len(list(folder.iterdir())) == KERNELS, 60)
            while not all(kernel.done() for kernel in kernels):
                look(pages, f"{lab.mlflow_url}/#/experiments/{experiment}/runs")
        finally:
            is_done.set()
        for kernel in kernels:
            kernel.result()
        assert min(client.result() for client in clients) > 10
        assert len(seen) > 10 * TABS
        assert max(seen) < 500
    check_store(lab, experiment)


def look(pages: list[Page], address: str) -> None:
    """Load `address` in every tab at the same time."""
    for page in pages:
        page.goto("about:blank")
        page.goto(address, wait_until="commit")
    for page in pages:
        expect(page.get_by_text(NAME).first).to_be_visible()


def read(lab: Lab, experiment: str, is_done: threading.Event) -> int:
    """Search for runs and read their histories; returns the number of rounds."""
    rounds = 0
    while not is_done.is_set():
        search = {"experiment_ids": [experiment], "max_results": 100}
        for run in lab.api("runs/search", search).get("runs", ()):
            history(lab, run["info"]["run_id"], "alone")
        rounds += 1
    return rounds


def history(lab: Lab, run_id: str, key: str) -> list[float]:
    path = f"/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key={key}"
    answer = lab.get(path)
    assert answer.status_code == 200, answer.text
    return [metric["value"] for metric in answer.json().get("metrics", ())]


def check_store(lab: Lab, experiment: str) -> None:
    runs = lab.api("runs/search", {"experiment_ids": [experiment], "max_results": 100})["runs"]
    assert len(runs) == KERNELS
    for run in runs:
        assert run["info"]["status"] == "FINISHED"
        assert history(lab, run["info"]["run_id"], "alone") == list(range(METRICS))
        batch = history(lab, run["info"]["run_id"], "batch")
        assert batch == list(range(BATCHES * BATCH))
    for log in (lab.log, lab.mlflow_log):
        assert "locked" not in log.read_text()
