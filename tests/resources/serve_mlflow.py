"""Serve MLflow twice from one process: unchanged, and through our middlewares.

    python serve_mlflow.py STORE ARTIFACTS BARE_SOCKET WRAPPED_SOCKET

The two differ only in the middlewares. The objects that MLflow's import creates are excluded from
garbage collection, as in the package: a collection takes longer than the measured difference.
"""

from __future__ import annotations

import asyncio
import gc
import sys

import uvicorn

from mlflow_proxy.server import mlflow_app
from mlflow_proxy.server.local import find_mlflow
from mlflow_proxy.server.middleware import Application, wrap
from mlflow_proxy.server.middleware.use_tracker import LastUse
from mlflow_proxy.server.store.settings import StoreSettings
from mlflow_proxy.sqlite_creation import Revisions


async def serve(artifact_root: str, bare: str, wrapped: str) -> None:
    """Serve until SIGTERM."""
    app = mlflow_app.load()
    gc.freeze()
    static_folder = find_mlflow() / "server" / "js" / "build"
    ours = wrap(Application(app, static_folder, artifact_root), LastUse(), 0.0)
    await asyncio.gather(
        *(
            uvicorn.Server(uvicorn.Config(each, uds=socket, log_level="warning")).serve()
            for each, socket in ((app, bare), (ours, wrapped))
        )
    )


if __name__ == "__main__":
    store, artifacts, *sockets = sys.argv[1:]
    settings = StoreSettings.parse(store, store, artifacts)
    mlflow_app.configure(settings)
    mlflow_app.open_stores(settings, Revisions.read(find_mlflow()).latest, print)
    asyncio.run(serve(artifacts, *sockets))
