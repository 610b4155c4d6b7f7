"""Run code in a new kernel of a Jupyter server, which gives it what it gives to any kernel."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

TIMEOUT = 100  # seconds


class KernelError(Exception):
    """The code raised; the message is its traceback."""


def run_in_kernel(url: str, token: str, code: str, folder: str = "") -> str:
    """Run `code` in a kernel of the server at `url`, in `folder`; returns what it printed."""
    session = {
        "path": f"{folder}/{uuid.uuid4().hex}.ipynb".lstrip("/"),
        "type": "notebook",
        "name": "",
        "kernel": {"name": "python3"},
    }
    with requests.Session() as client:
        client.headers["Authorization"] = f"token {token}"
        answer = client.post(f"{url}/api/sessions", json=session, timeout=30)
        answer.raise_for_status()
        started = answer.json()
        channels = f"{url.replace('http', 'ws', 1)}/api/kernels/{started['kernel']['id']}/channels"
        request = HTTPRequest(channels, headers={"Authorization": f"token {token}"})
        try:
            return asyncio.run(asyncio.wait_for(_connect_and_run(request, code), TIMEOUT))
        finally:
            client.delete(f"{url}/api/sessions/{started['id']}", timeout=30)


async def _connect_and_run(request: HTTPRequest, code: str) -> str:
    connection = await websocket_connect(request)
    try:
        return await _run(connection, code)
    finally:
        connection.close()
        while await connection.read_message() is not None:  # until it is closed
            pass


async def _run(connection: WebSocketClientConnection, code: str) -> str:
    header = {
        "msg_id": uuid.uuid4().hex,
        "session": uuid.uuid4().hex,
        "username": "test",
        "msg_type": "execute_request",
        "version": "5.3",
    }
    message: dict[str, Any] = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": {"code": code, "silent": False, "store_history": False},
        "channel": "shell",
    }
    await connection.write_message(json.dumps(message))
    printed = ""
    while True:
        message = json.loads(await connection.read_message() or "{}")
        if message["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                printed += content["text"]
            case "error":
                raise KernelError("\n".join(content["traceback"]))
            case "status" if content["execution_state"] == "idle":
                return printed
