"""In MLflow's place: a reverse proxy to a tracking server elsewhere.

MLflow itself is not imported, unless one of its plugins makes the credentials (`credentials.py`).
"""

import asyncio
import importlib.util
import re
import shlex
import socket
import sys
from importlib.metadata import version

from mlflow_proxy.server.failures import COMMAND, StartError
from mlflow_proxy.server.reporter import Reporter
from mlflow_proxy.shared.passwords import mask_uri
from mlflow_proxy.shared.reports import Stage, StageEntered, Version

# MLflow need not bring them: 3.10 does not depend on aiohttp, later ones take an older one.
MODULES = ("aiohttp", "certifi", "starlette", "uvicorn")
OLDEST_AIOHTTP = (3, 12)


def run(reporter: Reporter, uri: str, listener: socket.socket, idle_timeout: float) -> None:
    """Check the tracking server at `uri`, then show it.

    Raises:
        StartError: it cannot be shown, for a known reason.
    """
    reporter.send(StageEntered(Stage.IMPORT))
    _check_packages()
    with reporter.counting_modules():
        from starlette.middleware import Middleware

        from mlflow_proxy.server import serve
        from mlflow_proxy.server.handover import Handover
        from mlflow_proxy.server.middleware import Application, wrap
        from mlflow_proxy.server.middleware.use_tracker import LastUse
        from mlflow_proxy.server.mode import CurrentMode, Mode

        from . import diagnosis
        from .boundary import ServerAddress
        from .client import Client
        from .proxy import RemoteProxy, RemoteStaticFiles

    try:
        address = ServerAddress.parse(uri)
    except ValueError as error:
        raise StartError(
            f"The server's address {mask_uri(uri)} cannot be read: {error}.",
            "Correct MLFLOW_TRACKING_URI or c.MLflowProxy.backend_store_uri, for example to "
            "https://mlflow.example:5000.",
        ) from None
    reporter.send(StageEntered(Stage.STORE))
    client = Client(address)
    if number := asyncio.run(diagnosis.check(client)):
        reporter.send(Version(number))

    async def find_mode() -> Mode:
        # To ask the server takes three searches. These pages show runs and traces.
        return Mode.TRAINING

    reporter.send(StageEntered(Stage.SERVE))
    proxy = RemoteProxy(client)
    last_use, handover = LastUse(), Handover(reporter.send)
    reporter.on_hand_over = handover.request
    static_files = Middleware(RemoteStaticFiles, server=proxy)
    application = Application(proxy, static_files=static_files, mode=CurrentMode(find_mode))
    app = wrap(application, last_use, idle_timeout)
    serve.run(app, listener, handover, last_use, idle_timeout)


def _check_packages() -> None:
    """Check that what the proxy needs can be imported.

    Raises:
        StartError: a package is missing or too old.
    """
    needed = [name for name in MODULES if importlib.util.find_spec(name) is None]
    what = f"{' and '.join(needed)}, which showing a tracking server needs"
    if not needed:
        major, minor = re.findall(r"\d+", version("aiohttp"))[:2]
        if (int(major), int(minor)) < OLDEST_AIOHTTP:
            needed = [f"aiohttp>={'.'.join(map(str, OLDEST_AIOHTTP))}"]
            what = f"a newer aiohttp than {major}.{minor}"
    if needed:
        raise StartError(
            f"{sys.executable} (c.MLflowProxy.python) lacks {what}.",
            f"Run:{COMMAND}{shlex.join([sys.executable, '-m', 'pip', 'install', *needed])}",
        )
