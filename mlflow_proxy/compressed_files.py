"""MLflow's static files, compressed once and kept in the user's cache folder.

The supervisor sends them while MLflow starts, the MLflow process after that. Standard library only.
"""

from __future__ import annotations

import contextlib
import gzip
import os
from pathlib import Path

# What shrinks. Pictures and fonts are compressed as they are.
SUFFIXES = frozenset({".css", ".html", ".js", ".json", ".map", ".svg", ".txt"})
MIN_SIZE = 1024  # bytes; less does not fill a packet
LEVEL = 6  # 9 takes three times as long for 1 % less
CHUNK = 64 << 10  # bytes
MAX_CACHE = 32 << 20  # bytes; a release of MLflow takes 7 MB when all of it was looked at

# MLflow's own time: the names of files hold a hash of what is in them.
CACHE_CONTROL = ("Cache-Control", "public, max-age=2419200")
VARY = ("Vary", "Accept-Encoding")
CONTENT_ENCODING = ("Content-Encoding", "gzip")


def cache_folder() -> Path:
    """Where compressed files are kept; nothing is lost with it."""
    return (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jupyter-mlflow-proxy"
    )


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client with this `Accept-Encoding` takes gzip."""
    for coding in accept_encoding.lower().split(","):
        name, _, parameter = coding.partition(";")
        if name.strip() in ("gzip", "*"):
            return parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def compressed(file: Path) -> Path | None:
    """The compressed twin of `file`, made if there is none; None where it is not worth it.

    It may take a tenth of a second a megabyte. A cache that cannot be written is done without.
    """
    if file.suffix not in SUFFIXES:
        return None
    with contextlib.suppress(OSError):
        status = file.stat()
        twin = cache_folder() / f"{file.name}-{status.st_mtime_ns:x}-{status.st_size:x}.gz"
        if status.st_size >= MIN_SIZE and (twin.exists() or _make(twin, file)):
            return twin
    return None


def _make(twin: Path, file: Path) -> bool:
    """Make `twin` from `file` in one step: whoever sees it sees all of it."""
    twin.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_room(twin.parent)
    aside = twin.with_name(f"{twin.name}.{os.getpid()}")
    try:
        with file.open("rb") as plain, gzip.open(aside, "wb", LEVEL) as output:
            while data := plain.read(CHUNK):
                output.write(data)
        aside.replace(twin)
    finally:
        aside.unlink(missing_ok=True)
    return True


def _make_room(folder: Path) -> None:
    """Remove the oldest files beyond `MAX_CACHE`: those of MLflow releases gone by."""
    files = sorted(
        (entry.stat().st_mtime, entry.stat().st_size, entry) for entry in folder.iterdir()
    )
    total = sum(length for _, length, _ in files)
    for _, length, entry in files:
        if total <= MAX_CACHE:
            return
        entry.unlink(missing_ok=True)
        total -= length
