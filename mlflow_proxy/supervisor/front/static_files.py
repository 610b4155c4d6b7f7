"""MLflow's static files, served from its folder while MLflow is starting."""

import mimetypes
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from mlflow_proxy.shared.addresses import STATIC_FILES
from mlflow_proxy.shared.compressed_files import HEADERS, compressed
from mlflow_proxy.shared.headers import FRAME_OPTIONS

from .http import Response


def static_file(folder: Path, path: str, accept_encoding: str = "") -> Response:
    """Answer a request for `path`, below `STATIC_FILES`, as the MLflow process would.

    Blocks for a fraction of a second for a file of several megabytes that is not cached yet.
    """
    try:
        file = (folder / unquote(path.removeprefix(f"{STATIC_FILES}/"))).resolve()
        found = file.is_relative_to(folder.resolve()) and file.is_file()
    except (OSError, ValueError):  # a name too long, a NUL in it
        found = False
    if not found:
        return Response(HTTPStatus.NOT_FOUND, b"Not found")
    content_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if content_type.startswith("text/"):
        content_type += "; charset=utf-8"
    twin = compressed(file, accept_encoding)
    headers = [*HEADERS]
    if twin is not None:
        headers.append(("Content-Encoding", twin.coding))
    return Response(HTTPStatus.OK, b"", content_type, tuple(headers), twin.path if twin else file)


def dashboard(folder: Path) -> Response:
    """Answer with the dashboard's page, which only loads its scripts while MLflow is not ready."""
    # The hidden frame shows no stored content, and MLflow 3.10's scripts need `eval` to load.
    policy = ("Content-Security-Policy", "script-src 'self' 'unsafe-eval'; base-uri 'none'")
    headers = (("Cache-Control", "no-store"), policy, FRAME_OPTIONS)
    page = folder / "index.html"
    if not page.is_file():  # MLflow was installed from its source
        return Response(HTTPStatus.NOT_FOUND, b"Not found")
    return Response(HTTPStatus.OK, b"", "text/html; charset=utf-8", headers, page)
