"""jupyter-server-proxy: a `DELETE` with a body answers 500.

    pip install jupyter-server-proxy requests && python jupyter_server_proxy_delete_with_body.py

MLflow's dashboard and client delete models, versions, tags and aliases so. Expected: the request is
passed on. Seen: "Body must be None for method DELETE", from tornado's client.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

BACKEND = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Echo(BaseHTTPRequestHandler):
    def do_DELETE(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_DELETE

HTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"""

with tempfile.TemporaryDirectory() as folder:
    entry = {"command": [sys.executable, "-c", BACKEND, "{port}"]}
    config = Path(folder, "config.json")
    config.write_text(json.dumps({"ServerProxy": {"servers": {"echo": entry}}}))
    command = ["-m", "jupyter_server", "--no-browser", "--allow-root", f"--config={config}"]
    options = ["--ServerApp.port=8899", "--ServerApp.port_retries=0", "--IdentityProvider.token=t"]
    server = subprocess.Popen([sys.executable, *command, *options], cwd=folder)
    try:
        url, headers = "http://127.0.0.1:8899/echo/", {"Authorization": "token t"}
        while True:
            time.sleep(1)
            try:
                if requests.get(url, headers=headers, timeout=10).ok:
                    break
            except requests.ConnectionError:
                assert server.poll() is None, "Jupyter did not start"
        without = requests.delete(url, headers=headers, timeout=10)
        answer = requests.delete(url, headers=headers, json={"name": "x"}, timeout=10)
    finally:
        server.terminate()
        server.wait()
print(f"without a body: {without.status_code}; with one: {answer.status_code}")
assert answer.status_code == without.status_code
