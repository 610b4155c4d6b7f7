"""The listening unix socket."""

import contextlib
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_proxy.shared.addresses import IMPORT_SOCKET_NAME, JOBS_FOLDER, SOCKET_FOLDER
from mlflow_proxy.shared.private_files import is_private_folder

BACKLOG = 2048


@contextmanager
def listen(path: Path) -> Iterator[socket.socket]:
    """Listen on `path` (mode 0600; a new folder gets 0700) and remove it at the end.

    The folder remains while Jupyter is alive, because another user could create it anew and read
    what Jupyter sends there.

    Raises:
        OSError: `path` exists and is not a socket, or no socket can be created there, or another
            user could replace the socket in its folder.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private_folder(path.parent):
        raise PermissionError(f"{path.parent} belongs to another user, or others can write to it")
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
            # MLflow processes that were killed have left files there.
            shutil.rmtree(path.parent / JOBS_FOLDER, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove the folder of the socket `path`, once Jupyter has exited."""
    if path.parent.name.startswith(SOCKET_FOLDER):
        with contextlib.suppress(OSError):  # it is gone or not empty
            path.with_name(IMPORT_SOCKET_NAME).unlink(missing_ok=True)  # Jupyter was killed
            path.parent.rmdir()


def _remove_socket(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} is in the way and is not a socket; remove it")
    path.unlink(missing_ok=True)  # Jupyter, which ends as well, may be faster
