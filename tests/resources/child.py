"""Stands where MLflow stands, in a tenth of a second: BEHAVIOUR and MLflow's options.

- serve: reports every stage, then answers every request with its pid;
- failing: reports a failure, unless a file named `mended` is in its folder: then serves;
- outdated: reports that the database is to be upgraded, and once it is serves; `--upgrade` does it,
  unless a file named `broken` is in its folder;
- silent: ends with code 3 and says why only in its output;
- hang: never becomes ready.
"""

import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path


def main(behaviour: str, listener: str, reports: str, *options: str) -> None:
    line = socket.socket(fileno=int(reports.partition("=")[2]))
    line.set_inheritable(False)

    def report(**values: object) -> None:
        line.sendall(json.dumps(values).encode() + b"\n")

    def end_with_supervisor() -> None:
        line.recv(1)
        os._exit(0)

    threading.Thread(target=end_with_supervisor, daemon=True).start()
    print(f"I am {behaviour}, of postgresql://me:hunter2@host/db <script>", flush=True)
    report(event="stage", stage="import", text="")
    if behaviour == "silent":
        sys.exit(3)
    if options == ("--upgrade",):
        if Path("broken").exists():
            Path("copy").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        Path("upgraded").touch()
        report(event="upgraded")
        sys.exit(0)
    if behaviour == "outdated" and not Path("upgraded").exists():
        upgrade = {"database": "It", "copy": str(Path("copy").absolute())}
        report(event="failed", reason="It is old.", remedy="Upgrade it.", upgrade=upgrade)
        sys.exit(1)
    if behaviour == "failing" and not Path("mended").exists():
        report(event="failed", reason="It is <broken>.", remedy="Mend it.")
        sys.exit(1)
    if behaviour == "hang":
        threading.Event().wait()
    report(event="modules", count=1000)
    report(event="stage", stage="serve", text="")
    serve(socket.socket(fileno=int(listener.partition("=")[2])), report)


def serve(listener: socket.socket, report: object) -> None:
    listener.setblocking(True)
    report(event="ready")  # type: ignore[operator]
    while True:
        connection, _ = listener.accept()
        with connection:
            path = connection.recv(65536).split()[1].decode()
            body = '{"state": "ready"}' if path == "/_proxy/status" else str(os.getpid())
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + body).encode())


main(*sys.argv[1:])
