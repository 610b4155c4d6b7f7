"""Run code in a new kernel of a Jupyter server, started through the sessions API."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

TIMEOUT = 100  # seconds
LATE = "not stored yet"  # of a trace that is shown later


class KernelError(Exception):
    """The code raised; the message is its traceback."""


class Printed(NamedTuple):
    """Output of a cell: stdout, stderr and displayed HTML; and for how long it was busy."""

    stdout: str
    stderr: str
    html: str
    seconds: float


def run_in_kernel(
    url: str, token: str, code: str, folder: str = "", kernel: str = "python3"
) -> str:
    """Run `code` in a kernel of the server at `url`, in `folder`; returns its stdout."""
    notebook = f"{folder}/{uuid.uuid4().hex}.ipynb".lstrip("/")
    return run_cells(url, token, notebook, [code], TIMEOUT, kernel=kernel)[0].stdout


def run_notebook(url: str, token: str, notebook: Path, timeout: float) -> list[Printed]:
    """Run `notebook`, a file in the root folder of the server at `url`, from top to bottom.

    Returns the output of each code cell.
    """
    cells = json.loads(notebook.read_text())["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return run_cells(url, token, notebook.name, codes, timeout)


def run_cells(
    url: str,
    token: str,
    notebook: str,
    codes: list[str],
    timeout: float,
    *,
    kernel: str = "python3",
) -> list[Printed]:
    """Run `codes` in sequence in a new kernel of `notebook` on the server at `url`."""
    with _kernel(url, token, notebook, kernel) as request:
        return asyncio.run(asyncio.wait_for(_run_all(request, codes), timeout))


@contextmanager
def kernel(url: str, token: str, notebook: str) -> Iterator[Callable[..., list[Printed]]]:
    """Start a kernel for `notebook`; yields a function that runs cells in it."""
    with _kernel(url, token, notebook) as request:

        def run(*codes: str) -> list[Printed]:
            return asyncio.run(asyncio.wait_for(_run_all(request, codes), TIMEOUT))

        yield run


async def _run_all(request: HTTPRequest, codes: Sequence[str]) -> list[Printed]:
    async with _channels(request) as connection:
        return [await _run(connection, code) for code in codes]


def time_kernel(
    url: str, token: str, started: threading.Event, done: threading.Event, interval: float
) -> list[float]:
    """Start a kernel, set `started` and send a request every `interval` seconds until `done`.

    Returns the response times in seconds.
    """
    seconds = []
    with _kernel(url, token, f"{uuid.uuid4().hex}.ipynb") as request:

        async def ask() -> None:
            async with _channels(request) as connection:
                await _run(connection, "1")
                started.set()
                while not done.is_set():
                    began = time.monotonic()
                    sent = await _send(connection, "1")
                    while (await _receive(connection, sent))["msg_type"] != "execute_reply":
                        pass
                    seconds.append(time.monotonic() - began)
                    await asyncio.sleep(interval)

        asyncio.run(ask())
    return seconds


@contextmanager
def _kernel(url: str, token: str, notebook: str, kernel: str = "python3") -> Iterator[HTTPRequest]:
    """Start a kernel for `notebook`; yields the request that opens its channels."""
    session = {
        "path": notebook,
        "type": "notebook",
        "name": notebook.rpartition("/")[2],  # as JupyterLab names it
        "kernel": {"name": kernel},
    }
    with requests.Session() as client:
        client.headers["Authorization"] = f"token {token}"
        answer = client.post(f"{url}/api/sessions", json=session, timeout=30)
        answer.raise_for_status()
        started = answer.json()
        channels = f"{url.replace('http', 'ws', 1)}/api/kernels/{started['kernel']['id']}/channels"
        try:
            yield HTTPRequest(channels, headers={"Authorization": f"token {token}"})
        finally:
            client.delete(f"{url}/api/sessions/{started['id']}", timeout=30)


@asynccontextmanager
async def _channels(request: HTTPRequest) -> AsyncIterator[WebSocketClientConnection]:
    connection = await websocket_connect(request)
    try:
        yield connection
    finally:
        connection.close()
        while await connection.read_message() is not None:  # until it is closed
            pass


async def _run(connection: WebSocketClientConnection, code: str) -> Printed:
    sent = await _send(connection, code)
    printed = {"stdout": "", "stderr": ""}
    shown: dict[str, str] = {}  # by the id of a display, or by a number
    busy = idle = 0.0
    while not idle or any(LATE in html for html in shown.values()):
        message = await _receive(connection, sent)
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                printed[content["name"]] += content["text"]
            case "display_data" | "update_display_data":
                name = content.get("transient", {}).get("display_id", str(len(shown)))
                shown[name] = content["data"].get("text/html", "")
            case "error":
                raise KernelError("\n".join(content["traceback"]))
            case "status" if content["execution_state"] == "busy":
                busy = _sent_at(message)
            case "status" if content["execution_state"] == "idle":
                idle = _sent_at(message)
    return Printed(**printed, html="".join(shown.values()), seconds=idle - busy)


def _sent_at(message: dict[str, Any]) -> float:
    """When the kernel sent `message`, in seconds; Python 3.10 knows no "Z"."""
    return datetime.fromisoformat(message["header"]["date"].replace("Z", "+00:00")).timestamp()


async def _send(connection: WebSocketClientConnection, code: str) -> str:
    """Send a request to execute `code`; returns the message's id."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "session": uuid.uuid4().hex,
        "username": "test",
        "msg_type": "execute_request",
        "version": "5.3",
    }
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "store_history": False},
        "channel": "shell",
    }
    await connection.write_message(json.dumps(message))
    return header["msg_id"]


async def _receive(connection: WebSocketClientConnection, sent: str) -> dict[str, Any]:
    """The next message whose parent is `sent`, or that changes what was displayed before."""
    while True:
        message: dict[str, Any] = json.loads(await connection.read_message() or "{}")
        is_update = message["msg_type"] == "update_display_data"
        if is_update or message["parent_header"].get("msg_id") == sent:
            return message
