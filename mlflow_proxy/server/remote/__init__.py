"""In MLflow's place: a reverse proxy to a tracking server elsewhere.

MLflow itself is not imported, unless one of its plugins makes the credentials (`credentials.py`).
"""

import argparse
import asyncio
import os

from mlflow_proxy.printable import mask_uri, quoted
from mlflow_proxy.reports import Found, Stage, StageEntered
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.reporter import Reporter


def run(reporter: Reporter, uri: str, options: argparse.Namespace) -> None:
    """Check the tracking server at `uri`, then show it, with the `options` of the command line.

    Raises:
        ImportError: a package is missing. MLflow need not bring aiohttp.
        StartError: it cannot be shown, for a known reason.
    """
    reporter.send(StageEntered(Stage.IMPORT))
    with reporter.counting_modules():
        from starlette.middleware import Middleware

        from mlflow_proxy.server import routes, serve
        from mlflow_proxy.server.middleware.pages import Pages
        from mlflow_proxy.server.middleware.security import Security

        from . import diagnosis
        from .boundary import ServerAddress
        from .client import Client
        from .proxy import application

    try:
        address = ServerAddress.parse(uri, os.environ.get("MLFLOW_TRACKING_URI", ""))
    except ValueError as error:
        raise StartError(
            f"The server's address {quoted(mask_uri(uri))} cannot be read: {quoted(error)}.",
            "Correct MLFLOW_TRACKING_URI or c.MLflowProxy.backend_store_uri, for example to "
            "https://mlflow.example:5000.",
        ) from None
    reporter.send(StageEntered(Stage.STORE))
    client = Client(address)
    if number := asyncio.run(diagnosis.check(client)):
        reporter.send(Found(number))
    if options.check:
        print(f"The tracking server {address} has MLflow {number or 'of an unknown version'}")
        return

    reporter.send(StageEntered(Stage.SERVE))
    middlewares = [Middleware(Security), Middleware(Pages, idle_timeout=options.idle_timeout)]
    app = serve.stack(application(client, routes.artifact_frame()), middlewares)
    serve.Server(app, options.unix_socket, reporter.send).listen_and_run()
