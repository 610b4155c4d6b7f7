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

from mlflow_proxy.server import local, mlflow_app
from mlflow_proxy.server.serve import stack
from mlflow_proxy.server.store.settings import StoreSettings


async def serve(settings: StoreSettings, bare: str, wrapped: str) -> None:
    """Serve until SIGTERM."""
    app = mlflow_app.load()
    gc.freeze()
    ours = stack(app, local.middlewares(settings, 0.0, None, ""))
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
    mlflow_app.open_stores(settings, print)
    asyncio.run(serve(settings, *sockets))
