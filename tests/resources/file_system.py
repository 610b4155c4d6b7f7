"""A file system that passes everything on to a folder, but locks.

Arguments: the folder, where to mount it, and what a lock does: an error's name (ENOLCK), `hang`, or
`work`; then `nolinks` if there are no hard links, `readonly` if nothing can be written.
"""

import errno
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

import mfusepy

root, mount_point, locks, *options = sys.argv[1:]


class FileSystem(mfusepy.Operations):
    """Files of `root`; the methods are FUSE's."""

    use_ns = True

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.fstat(fh) if fh is not None else os.lstat(root + path)
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_ino", "st_dev")
        times = {f"st_{each}time": getattr(status, f"st_{each}time_ns") for each in "amc"}
        return {**{name: getattr(status, name) for name in names}, **times}

    def readdir(self, path: str, fh: int) -> Iterable[str]:
        return [".", "..", *os.listdir(root + path)]

    def mkdir(self, path: str, mode: int) -> int:
        return os.mkdir(root + path, mode) or 0

    def rmdir(self, path: str) -> int:
        return os.rmdir(root + path) or 0

    def unlink(self, path: str) -> int:
        return os.unlink(root + path) or 0

    def rename(self, old: str, new: str, flags: int = 0) -> int:
        return os.rename(root + old, root + new) or 0

    def link(self, target: str, source: str) -> int:
        if "nolinks" in options:
            raise mfusepy.FuseOSError(errno.EPERM)
        return os.link(root + source, root + target) or 0

    def chmod(self, path: str, mode: int) -> int:
        return os.chmod(root + path, mode) or 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return os.utime(root + path, ns=times) or 0

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(root + path, os.O_RDWR | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(root + path, flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        return os.truncate(root + path if fh is None else fh, length) or 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        return os.fsync(fh) or 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        return os.close(fh) or 0

    def lock(self, path: str, fh: int, cmd: int, lock: Any) -> int:
        if locks == "hang":
            threading.Event().wait()
        if locks != "work":
            raise mfusepy.FuseOSError(getattr(errno, locks))
        return 0


mfusepy.FUSE(FileSystem(), mount_point, foreground=True, ro="readonly" in options)
