"""Sends MLflow's static files compressed; MLflow sends several megabytes uncompressed."""

from pathlib import Path

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from mlflow_proxy.shared.addresses import STATIC_FILES
from mlflow_proxy.shared.compressed_files import HEADERS, compressed


class CompressedStaticFiles:
    """Answers requests below `STATIC_FILES` from `folder`."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app = app
        self._files = _StaticFiles(directory=folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{STATIC_FILES}/"):
            await self._app(scope, receive, send)
            return
        await self._files({**scope, "root_path": STATIC_FILES}, receive, send)


class _StaticFiles(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file, its compressed twin, or 304."""
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            return PlainTextResponse(error.detail, error.status_code)
        if isinstance(response, (FileResponse, NotModifiedResponse)):
            response.headers.update(dict(HEADERS))
        if not isinstance(response, FileResponse):
            return response
        headers = Headers(scope=scope)
        accept_encoding = headers.get("accept-encoding", "")
        twin = await anyio.to_thread.run_sync(compressed, Path(response.path), accept_encoding)
        if twin is None:
            return response
        result = FileResponse(
            twin.path,
            headers=dict([*HEADERS, ("Content-Encoding", twin.coding)]),
            media_type=response.media_type,
            stat_result=twin.path.stat(),
        )
        if self.is_not_modified(result.headers, headers):
            return NotModifiedResponse(result.headers)
        return result
