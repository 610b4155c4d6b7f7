"""In MLflow's place: a reverse proxy to a tracking server elsewhere.

MLflow itself is not imported, unless one of its plugins makes the credentials (`plugins.py`).
"""

import asyncio
import socket
from functools import partial

from mlflow_proxy.server.errors import StartError
from mlflow_proxy.server.reporter import Reporter
from mlflow_proxy.shared.passwords import mask_uri
from mlflow_proxy.shared.reports import Stage, StageEntered, Version

from . import requirements


def run(reporter: Reporter, uri: str, listener: socket.socket, idle_timeout: float) -> None:
    """Check the tracking server at `uri`, then show it.

    Raises:
        StartError: it cannot be shown, for a known reason.
    """
    reporter.send(StageEntered(Stage.IMPORT))
    requirements.check()
    with reporter.counting_modules():
        from starlette.middleware import Middleware

        from mlflow_proxy.server import routes, serve
        from mlflow_proxy.server.handover import Handover
        from mlflow_proxy.server.middleware import stack
        from mlflow_proxy.server.middleware.local_request import LocalRequest
        from mlflow_proxy.server.middleware.pages import Pages
        from mlflow_proxy.server.middleware.policies import Policies
        from mlflow_proxy.server.middleware.status import ReadyStatus
        from mlflow_proxy.server.middleware.use_tracker import LastUse, UseTracker
        from mlflow_proxy.server.mode import CurrentMode

        from . import checks, contents
        from .address import ServerAddress
        from .client import Client
        from .proxy import RemoteProxy
        from .static_files import RemoteStaticFiles

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
    if version := asyncio.run(checks.check(client)):
        reporter.send(Version(version))

    reporter.send(StageEntered(Stage.SERVE))
    proxy = RemoteProxy(client)
    last_use, handover = LastUse(), Handover(reporter.send)
    reporter.on_hand_over = handover.request
    mode = CurrentMode(
        partial(contents.find, client), timeout=contents.TIMEOUT, max_age=contents.MAX_AGE
    )
    middlewares = [
        Middleware(UseTracker, last_use=last_use),
        Middleware(ReadyStatus),
        Middleware(LocalRequest),
        Middleware(Policies),
        Middleware(Pages, idle_timeout=idle_timeout, mode=mode),
        Middleware(routes.Routes, routes=[routes.artifact_frame()]),
        Middleware(RemoteStaticFiles, server=proxy, address=str(address)),
    ]
    app = stack(proxy, middlewares)
    serve.run(app, listener, handover, last_use, idle_timeout)
