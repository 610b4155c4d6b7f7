"""The listening unix socket."""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BACKLOG = 2048
# jupyter-server-proxy creates a folder with this prefix for the socket and leaves it behind.
FOLDER_OF_JUPYTER_SERVER_PROXY = "jupyter-server-proxy-"


@contextmanager
def listen(path: Path) -> Iterator[socket.socket]:
    """Listen on `path` (mode 0600; a new folder gets 0700) and remove it at the end.

    Raises:
        OSError: `path` exists and is not a socket, or no socket can be created there, or its
            folder belongs to another user, who could replace the socket.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_uid != os.geteuid():
        raise PermissionError(f"{path.parent} belongs to another user")
    _remove_socket(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        try:
            yield listener
        finally:
            _remove_socket(path)
            if path.parent.name.startswith(FOLDER_OF_JUPYTER_SERVER_PROXY):
                with contextlib.suppress(OSError):  # it is not empty
                    path.parent.rmdir()


def _remove_socket(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} is in the way and is not a socket; remove it")
    path.unlink()
