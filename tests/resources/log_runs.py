"""Log one run after another to `MLFLOW_TRACKING_URI` until the standard input ends.

Prints a line `done <id>` for each run whose end MLflow has acknowledged; MLflow also prints.
"""

import sys
import threading
import time

import mlflow
from mlflow.entities import Metric, Param
from packaging.version import Version

STEPS = 5

# From 3.18 MLflow's client does not retry a creation that may have succeeded; the caller must.
MAY_BREAK_OFF = Version(mlflow.__version__).release >= (3, 18)

is_done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), is_done.set()), daemon=True).start()
client = mlflow.MlflowClient()


def create_run() -> str:
    try:
        return client.create_run("0").info.run_id
    except mlflow.MlflowException as error:
        if MAY_BREAK_OFF and "MLflow broke off" in str(error):
            return create_run()
        raise


while not is_done.is_set():
    run_id = create_run()
    for step in range(STEPS):
        client.log_metric(run_id, "alone", step, step=step)
    now = int(time.time() * 1000)
    batch = [Metric("batch", step, now, step) for step in range(STEPS)]
    client.log_batch(run_id, batch, [Param("depth", "3")])
    client.set_terminated(run_id)
    print(f"\ndone {run_id}", flush=True)
