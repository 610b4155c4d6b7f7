"""MLflow's own static files, served from its folder while MLflow itself is still starting."""

from __future__ import annotations

import mimetypes
import re
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from mlflow_proxy.compressed_files import (
    CACHE_CONTROL,
    CONTENT_ENCODING,
    VARY,
    accepts_gzip,
    compressed,
)

from .http import Response

PREFIX = "/static-files/"
ENTRY_POINT = re.compile(r'(?:src|href)="(?:\./)?(static-files/static/(?:js|css)/[^"]+)"')


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
    twin = compressed(file) if accepts_gzip(accept_encoding) else None
    headers = [CACHE_CONTROL, VARY]
    headers += [CONTENT_ENCODING] if twin else []
    return Response(HTTPStatus.OK, b"", content_type, tuple(headers), twin or file)


def entry_points(folder: Path) -> list[str]:
    """The dashboard's main script and style, as URLs relative to the dashboard's."""
    try:
        return ENTRY_POINT.findall((folder / "index.html").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return []
