"""Type a line into a new terminal of a Jupyter server: URL TOKEN LINE."""

import json
import sys

import requests
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect


async def main(url: str, token: str, line: str) -> None:
    headers = {"Authorization": f"token {token}"}
    answer = requests.post(f"{url}/api/terminals", headers=headers, timeout=30)
    answer.raise_for_status()
    name = answer.json()["name"]
    address = f"{url.replace('http', 'ws', 1)}/terminals/websocket/{name}?token={token}"
    connection = await websocket_connect(address)
    await connection.write_message(json.dumps(["stdin", f"{line}; exit\r"]))
    while message := await connection.read_message():
        if json.loads(message)[0] == "disconnect":
            return


IOLoop.current().run_sync(lambda: main(*sys.argv[1:]), timeout=30)
