"""MLflow's static files, compressed for the browser: MLflow itself sends them uncompressed."""

import gzip
import mimetypes
import re
import stat
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from mlflow_proxy.addresses import STATIC_FILES
from mlflow_proxy.headers import COMPRESSIBLE, MIN_COMPRESSED

from .pages import Answer

# 4 MB take 0.1 s of a thread, once for each browser, which keeps them for four weeks. Level 9 takes
# half as long again for 0.5 % less.
GZIP_LEVEL = 6
ACCEPTS_GZIP = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))(?:,|;|$)", re.IGNORECASE
)


def static_file(folder: Path, path: str, headers: Mapping[str, str]) -> Answer:
    """The file in `folder` for a request of the exact form `STATIC_FILE`, with its `headers`.

    Blocks for a fraction of a second for a file of several megabytes.
    """
    file = folder / path.removeprefix(f"{STATIC_FILES}/")
    try:
        status = file.stat()
    except OSError:  # e.g. its name is too long
        return Answer(HTTPStatus.NOT_FOUND, b"Not found")
    if not stat.S_ISREG(status.st_mode):
        return Answer(HTTPStatus.NOT_FOUND, b"Not found")
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    etag = f'W/"{status.st_mtime_ns:x}-{status.st_size:x}"'
    sent = [
        # MLflow's own value: file names hold a hash of the content.
        ("Cache-Control", "public, max-age=2419200"),
        ("Content-Type", media_type),
        ("ETag", etag),
        ("Vary", "Accept-Encoding"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if headers.get("If-None-Match") == etag:
        return Answer(HTTPStatus.NOT_MODIFIED, b"", tuple(sent))
    body = file.read_bytes()
    shrinks = file.suffix in COMPRESSIBLE and status.st_size >= MIN_COMPRESSED
    if shrinks and ACCEPTS_GZIP.search(headers.get("Accept-Encoding", "")):
        sent.append(("Content-Encoding", "gzip"))
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Answer(HTTPStatus.OK, body, tuple(sent))
