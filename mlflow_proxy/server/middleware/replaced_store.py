"""Has Jupyter start a new process when the file of a SQLite store is no longer the one opened.

The request that notices it, and all that are in flight beside it, are redirected to their own
address. Clients repeat them there, body included, and Jupyter sends them to the new process.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.activity import is_use
from mlflow_proxy.addresses import IDLE_HEADER
from mlflow_proxy.reports import StoreReplaced
from mlflow_proxy.server.serve import Retirement
from mlflow_proxy.server.store.opened_files import OpenedFiles

TIMEOUT = 10.0  # seconds for Jupyter to react; after that, MLflow answers as it can


class ReplacedStore:
    """Looks at the `files` with each request that is use."""

    def __init__(self, app: ASGIApp, files: OpenedFiles, retirement: Retirement) -> None:
        self._app = app
        self._files = files
        self._retirement = retirement
        self._is_replaced = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or redirect it once Jupyter sends further ones elsewhere."""
        if scope["type"] == "http" and await self._is_for_the_next(scope):
            headers = {"Location": own_address(scope), "Cache-Control": "no-store"}
            await Response(status_code=307, headers=headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _is_for_the_next(self, scope: Scope) -> bool:
        """Whether the next process should answer the request, and would get it now."""
        if not self._is_replaced:
            if not is_use(scope["path"], Headers(scope=scope).get(IDLE_HEADER)):
                return False
            path = await self._files.replaced()
            if path is None:
                return False
            if not self._is_replaced:  # another request may have noticed it meanwhile
                self._is_replaced = True
                self._retirement.report(StoreReplaced(str(path)))
        try:
            await asyncio.wait_for(self._retirement.begun.wait(), TIMEOUT)
        except asyncio.TimeoutError:
            return False
        return True


def own_address(scope: Scope) -> str:
    """The request's address, relative to itself: it holds below any base URL and behind any proxy.

    It begins with `./`, because a name with a colon would be taken for a scheme, and an empty one
    for the folder's parent.
    """
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    name = path.rpartition("/")[2]
    return f"./{name}?{query}" if query else f"./{name}"
