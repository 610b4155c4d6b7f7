"""Serves a small application as the MLflow process does; waits while a file `closed` exists.

What is posted to `/log` is a line of the file `logged` before the answer.
"""

import os
import time
from pathlib import Path
from typing import Any

from common import options, reporter
from starlette.responses import PlainTextResponse

from mlflow_proxy.server import serve


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message["more_body"]
        if scope["path"] == "/log":
            with Path("logged").open("ab") as file:
                file.write(message["body"])
    await PlainTextResponse(f"{os.getpid()} has read {length}")(scope, receive, send)


while Path("closed").exists():
    time.sleep(0.02)
serve.Server(app, options.unix_socket, reporter.send).listen_and_run()
