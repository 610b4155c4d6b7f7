"""jupyter-server-proxy: a response above 100 MiB through a unix socket fails.

    pip install jupyter-server-proxy requests && python jupyter_server_proxy_large_response.py

Expected: the response is streamed, or a setting allows it. Seen: 599 "Content-Length too long", as
a response is kept whole in Jupyter's memory, up to tornado's limit of its client.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

SIZE = 101 << 20
BACKEND = f"""
import socketserver, sys

class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        path = self.rfile.readline().split()[1]
        while self.rfile.readline().strip():
            pass
        size = {SIZE} if path.endswith(b"large") else 1
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n")
        self.wfile.write(b"Content-Length: %d\\r\\n\\r\\n" % size)
        self.wfile.write(bytes(size))

socketserver.ThreadingUnixStreamServer(sys.argv[1], Answer).serve_forever()
"""

with tempfile.TemporaryDirectory() as folder:
    entry = {"command": [sys.executable, "-c", BACKEND, "{unix_socket}"], "unix_socket": True}
    config = Path(folder, "config.json")
    config.write_text(json.dumps({"ServerProxy": {"servers": {"big": entry}}}))
    command = ["-m", "jupyter_server", "--no-browser", "--allow-root", f"--config={config}"]
    options = ["--ServerApp.port=8899", "--ServerApp.port_retries=0", "--IdentityProvider.token=t"]
    server = subprocess.Popen([sys.executable, *command, *options], cwd=folder)
    try:
        url, headers = "http://127.0.0.1:8899/big", {"Authorization": "token t"}
        while True:
            time.sleep(1)
            try:
                if requests.get(f"{url}/small", headers=headers, timeout=10).ok:
                    break
            except requests.ConnectionError:
                assert server.poll() is None, "Jupyter did not start"
        answer = requests.get(f"{url}/large", headers=headers, timeout=60)
    finally:
        server.terminate()
        server.wait()
print(answer.status_code, len(answer.content), answer.reason)
assert len(answer.content) == SIZE
