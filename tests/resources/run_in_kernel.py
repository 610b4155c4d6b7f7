"""Run code in a new kernel of a Jupyter server: URL TOKEN FOLDER CODE; prints what it printed.

The kernel is started through the server, so that it gets what the server gives to kernels.
"""

import json
import sys
import uuid

import requests
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect

TIMEOUT = 100  # seconds


async def main(url: str, token: str, folder: str, code: str) -> None:
    headers = {"Authorization": f"token {token}"}
    session = {
        "path": f"{folder}/{uuid.uuid4().hex}.ipynb".lstrip("/"),
        "type": "notebook",
        "name": "",
        "kernel": {"name": "python3"},
    }
    answer = requests.post(f"{url}/api/sessions", json=session, headers=headers, timeout=30)
    answer.raise_for_status()
    kernel = answer.json()["kernel"]["id"]
    try:
        await run(
            f"{url.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={token}", code
        )
    finally:
        requests.delete(f"{url}/api/sessions/{answer.json()['id']}", headers=headers, timeout=30)


async def run(channels: str, code: str) -> None:
    connection = await websocket_connect(channels)
    header = {
        "msg_id": uuid.uuid4().hex,
        "session": uuid.uuid4().hex,
        "username": "test",
        "msg_type": "execute_request",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "stop_on_error": True}
    request = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
    }
    await connection.write_message(json.dumps(request))
    while True:
        message = json.loads(await connection.read_message())
        if message["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                print(content["text"], end="")
            case "error":
                sys.exit("\n".join(content["traceback"]))
            case "status" if content["execution_state"] == "idle":
                return


IOLoop.current().run_sync(lambda: main(*sys.argv[1:]), timeout=TIMEOUT)
