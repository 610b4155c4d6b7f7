"""Serves a small application as the MLflow process does; waits while a file `closed` exists."""

import os
import time
from pathlib import Path
from typing import Any

from common import listener, options, reporter
from starlette.responses import PlainTextResponse

from mlflow_proxy.server import serve
from mlflow_proxy.server.handover import Handover
from mlflow_proxy.server.middleware.status import ReadyStatus
from mlflow_proxy.server.middleware.use_tracker import LastUse, UseTracker


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message["more_body"]
    await PlainTextResponse(f"{os.getpid()} has read {length}")(scope, receive, send)


while Path("closed").exists():
    time.sleep(0.02)
last_use = LastUse()
tracked = UseTracker(ReadyStatus(app), last_use)
handover = Handover(reporter.send)
reporter.on_hand_over = handover.request
serve.run(tracked, listener, handover, last_use, options.idle_timeout)
