"""MLflow's static files, compressed once and kept in the user's cache folder.

MLflow itself sends several megabytes uncompressed.
"""

import contextlib
import gzip
import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mlflow_proxy.headers import COMPRESSIBLE, MIN_COMPRESSED
from mlflow_proxy.private_files import is_private_file, is_private_folder

GZIP_LEVEL = 6  # 9 takes half as long again for 0.5 % less
# As fast as gzip and an eighth smaller; 11 takes sixty times as long for another eighth.
BROTLI_QUALITY = 5
CHUNK = 64 << 10  # bytes
MAX_CACHE = 32 << 20  # bytes; all files of an MLflow release take 13 MB in both codings

HEADERS = (
    # MLflow's own value: file names hold a hash of the content.
    ("Cache-Control", "public, max-age=2419200"),
    ("Vary", "Accept-Encoding"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Of every static file, compressed or not."""


class Twin(NamedTuple):
    """A compressed file and its `Content-Encoding`."""

    path: Path
    coding: str


def cache_folder() -> Path:
    """The folder of compressed files; it may be deleted at any time."""
    return (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jupyter-mlflow-proxy"
    )


def accepted_codings(accept_encoding: str) -> list[str]:
    """Codings that a client with this `Accept-Encoding` takes, the best first."""
    wanted: dict[str, bool] = {}
    for coding in accept_encoding.lower().split(","):
        name, _, parameter = coding.partition(";")
        refused = parameter.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        wanted[name.strip()] = not refused
    return [coding for coding in ("br", "gzip") if wanted.get(coding, wanted.get("*", False))]


def compressed(file: Path, accept_encoding: str) -> Twin | None:
    """The compressed twin of `file`, made on first use; None if compression would not help.

    Making it takes about 50 ms a megabyte. There is no twin without a cache folder, or if other
    users can write to the folder: what they put there would run as Jupyter's page.
    """
    if file.suffix not in COMPRESSIBLE:
        return None
    with contextlib.suppress(OSError):
        status = file.stat()
        if status.st_size < MIN_COMPRESSED:
            return None
        name = f"{file.name}-{status.st_mtime_ns:x}-{status.st_size:x}"
        for coding in accepted_codings(accept_encoding):
            twin = Twin(cache_folder() / f"{name}.{coding}", coding)
            if not twin.path.exists():
                with file.open("rb") as plain:
                    _make(twin, plain)
            is_safe = is_private_folder(twin.path.parent) and is_private_file(twin.path)
            return twin if is_safe else None
    return None


def _make(twin: Twin, plain: BinaryIO) -> None:
    """Make `twin` from `plain` atomically: readers see a complete file or none."""
    folder = twin.path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private_folder(folder):
        raise PermissionError(f"{folder} is not private")
    _make_room(folder)
    aside = twin.path.with_name(f"{twin.path.name}.{os.getpid()}")
    try:
        with open(aside, "wb", opener=_open_private) as output:
            _compress(plain, output, twin.coding)
        aside.replace(twin.path)
    finally:
        aside.unlink(missing_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _compress(plain: BinaryIO, output: BinaryIO, coding: str) -> None:
    if coding == "br":
        import brotli  # noqa: PLC0415 (a megabyte, for the first file only)

        compressor = brotli.Compressor(quality=BROTLI_QUALITY)
        while data := plain.read(CHUNK):
            output.write(compressor.process(data))
        output.write(compressor.finish())
    else:
        with gzip.GzipFile(
            fileobj=output, mode="wb", compresslevel=GZIP_LEVEL
        ) as compressed_output:
            while data := plain.read(CHUNK):
                compressed_output.write(data)


def _make_room(folder: Path) -> None:
    """Remove the oldest files beyond `MAX_CACHE`: usually of earlier MLflow releases."""
    files = sorted(
        (entry.stat().st_mtime, entry.stat().st_size, entry) for entry in folder.iterdir()
    )
    total = sum(length for _, length, _ in files)
    for _, length, entry in files:
        if total <= MAX_CACHE:
            return
        entry.unlink(missing_ok=True)
        total -= length
