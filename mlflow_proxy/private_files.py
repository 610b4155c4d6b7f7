"""Folders and files that other users cannot change."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_private_folder(folder: Path) -> bool:
    """Whether `folder` is this user's own, no link, and writable by no other user."""
    return _is_private(folder, stat.S_ISDIR)


def is_private_file(file: Path) -> bool:
    """Whether `file` is a regular file of this user's own, writable by no other user."""
    return _is_private(file, stat.S_ISREG)


def open_private(path: str, flags: int) -> int:
    """An `opener` for `open` that makes a new file readable by this user only."""
    return os.open(path, flags, 0o600)


def _is_private(path: Path, is_kind: Callable[[int], bool]) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    is_own = status.st_uid == os.geteuid()
    return is_own and is_kind(status.st_mode) and not status.st_mode & OTHERS_CAN_WRITE
