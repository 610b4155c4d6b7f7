"""Stands where MLflow stands, in a tenth of a second.

BEHAVIOUR --idle-timeout=SECONDS --listener=N --reports=N [--upgrade]

- serve: reports every stage, then answers every request with its pid; reports after a request for
  /report-idle that nobody uses it;
- uvicorn: the same by the means of the real MLflow process, with a small application, once there is
  no file named `closed` in its folder;
- serve-once: serves like that the first time, then fails like this:
- failing: reports a failure, unless a file named `mended` is in its folder: then serves;
- outdated: reports that the database is to be upgraded, and once it is serves; `--upgrade` does it,
  unless a file named `broken` is in its folder;
- silent: ends with code 3 and says why only in its output;
- hang: never becomes ready.
"""

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any


def main(behaviour: str, idle_timeout: str, listener: str, reports: str, *options: str) -> None:
    if behaviour == "uvicorn":
        serve_with_uvicorn(
            *(value.partition("=")[2] for value in (idle_timeout, listener, reports))
        )
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
    if behaviour == "serve-once" and Path("served").exists():
        behaviour = "failing"
    Path("served").touch()
    if behaviour == "failing" and not Path("mended").exists():
        report(event="failed", reason="It is <broken>.", remedy="Mend it.")
        sys.exit(1)
    if behaviour == "hang":
        threading.Event().wait()
    report(event="modules", count=1000)
    report(event="stage", stage="serve", text="")
    serve(socket.socket(fileno=int(listener.partition("=")[2])), report)


def serve(listener: socket.socket, report: object) -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    report(event="ready")  # type: ignore[operator]
    while not ended.is_set():
        select.select([listener], [], [], 0.02)
        try:
            connection, _ = listener.accept()
        except BlockingIOError:  # nobody, or the supervisor was faster
            continue
        with connection:
            connection.setblocking(True)
            if not (request := connection.recv(65536)):  # somebody looked whether it accepts
                continue
            path = request.split()[1].decode()
            body = '{"state": "ready"}' if path == "/_proxy/status" else str(os.getpid())
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + body).encode())
        if path == "/report-idle":
            report(event="idle", seconds=7)  # type: ignore[operator]


def serve_with_uvicorn(idle_timeout: str, listener: str, reports: str) -> None:
    from mlflow_proxy.server import serve
    from mlflow_proxy.server.middleware.status import ReadyStatus
    from mlflow_proxy.server.reporter import Reporter

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        length, more = 0, True
        while more:
            message = await receive()
            length, more = length + len(message["body"]), message["more_body"]
        body = f"{os.getpid()} has read {length}".encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    reporter = Reporter(int(reports))
    inherited = socket.socket(fileno=int(listener))
    while Path("closed").exists():
        time.sleep(0.02)
    serve.run(ReadyStatus(answer), inherited, reporter, float(idle_timeout))
    sys.exit()


main(*sys.argv[1:])
