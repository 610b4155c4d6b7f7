"""A Lab with `resources/upstream.py` in place of MLflow, and raw connections to it."""

from __future__ import annotations

import base64
import http.client
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .lab import TOKEN, Lab

UPSTREAM = Path(__file__).parents[1] / "resources" / "upstream.py"
PIECE = b"x" * 65536
PREFIX = "/some/base/mlflow"
CONFIG = """
c.ServerApp.base_url = "/some/base/"
c.ServerApp.max_body_size = 1_000_000
c.ServerApp.tornado_settings = {{"compress_response": True}}
c.MLflowProxy.python = {python!r}
"""


def upstream_config(home: Path, program: Path = UPSTREAM) -> str:
    """The configuration of a Lab whose MLflow is `program`."""
    python = home / "upstream"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    python.chmod(0o700)
    return CONFIG.format(python=str(python))


def told(head: str, body: bytes = b"") -> str:
    """The path whose response consists of exactly these bytes."""
    answer = head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body
    return f"/as-told/{base64.urlsafe_b64encode(answer).decode()}"


def report(lab: Lab) -> dict[str, Any]:
    """The program's record of its requests."""
    return lab.get("/tell").json()


@contextmanager
def connection_to(lab: Lab) -> Iterator[socket.socket]:
    """A connection to Jupyter."""
    host, port = lab.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        yield connection


def head(method: str, path: str, *headers: str, token: str | None = TOKEN) -> bytes:
    """The head of a request for `path` below `/mlflow`."""
    authorization = [f"Authorization: token {token}"] if token else []
    lines = [f"{method} {PREFIX}{path} HTTP/1.1", "Host: localhost", *authorization, *headers]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


def send(connection: socket.socket, size: int) -> int:
    """Send up to `size` bytes of a body; returns the number sent before a timeout or an error."""
    sent = 0
    try:
        while sent < size:
            sent += connection.send(PIECE[: size - sent])
    except (TimeoutError, ConnectionError):
        pass
    return sent


def answer_on(connection: socket.socket, method: str = "GET") -> http.client.HTTPResponse:
    """The answer to a request that was sent on `connection`."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return response
