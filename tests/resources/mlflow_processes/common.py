"""Shared code of the fake MLflow processes; they report as the real MLflow process does."""

import argparse
import contextlib
import os
import re
import select
import signal
import socket
import sys
import threading
from pathlib import Path

from mlflow_proxy.reports import (
    FilesOpened,
    ModulesImported,
    Ready,
    Retired,
    Stage,
    StageEntered,
)
from mlflow_proxy.server.reporter import Reporter
from mlflow_proxy.sqlite_files import identities

parser = argparse.ArgumentParser()
parser.add_argument("--unix-socket", type=Path)
parser.add_argument("--reports", type=int)
parser.add_argument("--upgrade", action="store_true")
options, _ = parser.parse_known_args()
reporter = Reporter(options.reports, options.unix_socket)

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


def finish(connection: socket.socket) -> None:
    """Close it as a server does: data that it has not read would discard the answer."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(1)
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def is_complete(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    return bool(end) and not 0 < missing <= MAX_BODY


def listen() -> socket.socket:
    """The socket, which is made aside and is in its place from now on."""
    aside = options.unix_socket.with_name(f"{os.getpid():x}")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(aside))
    aside.chmod(0o600)
    listener.listen()
    aside.rename(options.unix_socket)
    return listener


def serve() -> None:
    """Answer every request with the process id; the file "store" is the store, if it exists."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGUSR1, lambda *_: reporter.send(Retired()))
    reporter.send(ModulesImported(1000))
    reporter.send(FilesOpened(identities([Path("store").absolute()])))
    reporter.send(StageEntered(Stage.SERVE))
    listener = listen()
    reporter.send(Ready())
    while not ended.is_set():
        if not select.select([listener], [], [], 0.02)[0]:
            continue
        connection, _ = listener.accept()
        with connection:
            if not receive(connection):
                continue
            body = str(os.getpid())
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + body).encode())
            finish(connection)
