"""MLflow: `set_experiment` of a new name in several processes at once.

    pip install mlflow && python mlflow_set_experiment_race.py

Expected: all runs are in the new experiment. Seen: those of the processes that lose the race are in
Default, after a warning at most.
"""

import subprocess
import sys
import tempfile

from mlflow import MlflowClient

PROCESSES = 8
LOG = """
import os, pathlib, sys, time
import mlflow

pathlib.Path(f"ready-{os.getpid()}").touch()
while len(list(pathlib.Path().glob("ready-*"))) < int(sys.argv[1]):
    time.sleep(0.001)
try:
    mlflow.set_experiment("new")
except Exception as error:
    print("set_experiment raised", type(error).__name__)
with mlflow.start_run():
    mlflow.log_metric("x", 1)
"""

with tempfile.TemporaryDirectory() as folder:
    store = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(store)
    client.create_experiment("another")  # the database exists
    command = [sys.executable, "-c", LOG, str(PROCESSES)]
    environment = {"MLFLOW_TRACKING_URI": store, "PATH": ""}
    processes = [subprocess.Popen(command, cwd=folder, env=environment) for _ in range(PROCESSES)]
    for process in processes:
        process.wait()
    new = client.get_experiment_by_name("new")
    runs = client.search_runs([new.experiment_id]) if new else []
    print(f"{len(runs)} of {PROCESSES} runs are in the experiment, ", end="")
    print(f"{len(client.search_runs(['0']))} in Default")
    assert len(runs) == PROCESSES
