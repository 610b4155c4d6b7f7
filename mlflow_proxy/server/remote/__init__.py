"""In MLflow's place: a reverse proxy to a tracking server elsewhere.

MLflow itself is not imported, unless one of its plugins makes the credentials (`plugins.py`).
"""

import asyncio
from functools import partial
from pathlib import Path

from mlflow_proxy.passwords import mask_uri
from mlflow_proxy.reports import Stage, StageEntered, Version
from mlflow_proxy.server.errors import StartError
from mlflow_proxy.server.reporter import Reporter

from . import requirements


def run(reporter: Reporter, uri: str, unix_socket: Path, idle_timeout: float) -> None:
    """Check the tracking server at `uri`, then show it.

    Raises:
        StartError: it cannot be shown, for a known reason.
    """
    reporter.send(StageEntered(Stage.IMPORT))
    requirements.check()
    with reporter.counting_modules():
        from starlette.middleware import Middleware

        from mlflow_proxy.server import serve
        from mlflow_proxy.server.middleware import Application, wrap
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
    static_files = Middleware(RemoteStaticFiles, server=proxy, address=str(address))
    mode = CurrentMode(
        partial(contents.find, client), timeout=contents.TIMEOUT, max_age=contents.MAX_AGE
    )
    application = Application(proxy, static_files=static_files, mode=mode)
    retirement = serve.Retirement(reporter.send)
    serve.run(wrap(application, idle_timeout, retirement), unix_socket, retirement)
