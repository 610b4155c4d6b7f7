"""Shared code of the fake MLflow processes; they report as the real MLflow process does."""

import os
import re
import select
import signal
import socket
import sys
import threading

from mlflow_proxy.reports import (
    Idle,
    ModulesImported,
    Ready,
    Stage,
    StageEntered,
    StoreReplaced,
)
from mlflow_proxy.server.cli import parser
from mlflow_proxy.server.reporter import Reporter

options = parser().parse_args(sys.argv[3:])  # after `-u` and the real server's path
reporter = Reporter(options.reports)
listener = socket.socket(fileno=options.listener)

name = os.path.basename(sys.argv[0]).removesuffix(".py")
print(f"I am {name}, of postgresql://me:hunter2@host/db <script>", flush=True)
reporter.send(StageEntered(Stage.IMPORT))


MAX_BODY = 65536  # bytes of a body that is read before the answer


def receive(connection: socket.socket) -> bytes:
    """A request with its body, which may come later than its head; an upload is not waited for."""
    request = connection.recv(65536)
    while request and not is_complete(request) and (more := connection.recv(65536)):
        request += more
    return request


def is_complete(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    return bool(end) and not 0 < missing <= MAX_BODY


def serve() -> None:
    """Answer every request with the process id; `/report-…` also sends a report."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    reporter.send(ModulesImported(1000))
    reporter.send(StageEntered(Stage.SERVE))
    reporter.send(Ready())
    while not ended.is_set():
        select.select([listener], [], [], 0.02)
        try:
            connection, _ = listener.accept()
        except BlockingIOError:  # no connection, or the supervisor accepted it
            continue
        with connection:
            connection.setblocking(True)
            if not (request := receive(connection)):  # only a check that the socket accepts
                continue
            path = request.split()[1].decode()
            body = '{"state": "ready"}' if path == "/_proxy/status" else str(os.getpid())
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + body).encode())
        if path == "/report-idle":
            reporter.send(Idle(7))
        if path == "/report-replaced":
            reporter.send(StoreReplaced("/store"))
