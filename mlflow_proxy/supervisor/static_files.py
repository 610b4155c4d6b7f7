"""MLflow's own static files, served from its folder while MLflow itself is still starting."""

from __future__ import annotations

import mimetypes
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from mlflow_proxy.compressed_files import CACHE_CONTROL, VARY, compressed

from .http import Response

PREFIX = "/static-files/"


def static_file(folder: Path, path: str, accept_encoding: str = "") -> Response:
    """Answer a request for `path`, which starts with `PREFIX`, as MLflow's process would.

    A file of some megabytes that is not in the cache yet takes a fraction of a second.
    """
    try:
        file = (folder / unquote(path.removeprefix(PREFIX))).resolve()
        found = file.is_relative_to(folder.resolve()) and file.is_file()
    except (OSError, ValueError):  # a name too long, a NUL in it
        found = False
    if not found:
        return Response(HTTPStatus.NOT_FOUND, b"Not found")
    content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if content_type.startswith("text/"):
        content_type += "; charset=utf-8"
    twin = compressed(file, accept_encoding)
    headers = [CACHE_CONTROL, VARY]
    if twin is not None:
        headers.append(("Content-Encoding", twin.coding))
    return Response(HTTPStatus.OK, b"", content_type, tuple(headers), twin.path if twin else file)


def dashboard(folder: Path) -> Response:
    """Answer with the dashboard's page; without MLflow it does no more than load its scripts."""
    headers = (("Cache-Control", "no-store"), ("Content-Security-Policy", "frame-ancestors 'self'"))
    page = folder / "index.html"
    if not page.is_file():  # an MLflow that was installed from its source
        return Response(HTTPStatus.NOT_FOUND, b"Not found")
    return Response(HTTPStatus.OK, b"", "text/html; charset=utf-8", headers, page)
