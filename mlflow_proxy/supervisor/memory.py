"""The memory of processes and their descendants, as Linux tells it in `/proc`."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")
# Memory that processes share is divided between them: proc_pid_smaps(5).
PSS = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)


def of(pids: Iterable[int]) -> int | None:
    """Bytes that these processes and their descendants use; None if there are none, or unknown."""
    family = {each for pid in pids for each in _family(pid)}
    known = [size for pid in family if (size := _of_one(pid)) is not None]
    return sum(known) if known else None


def _family(pid: int) -> Iterator[int]:
    yield pid
    for file in PROC.glob(f"{pid}/task/*/children"):
        with contextlib.suppress(OSError):  # the thread or the process has ended
            for child in file.read_text().split():
                yield from _family(int(child))


def _of_one(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        if match := PSS.search((PROC / f"{pid}/smaps_rollup").read_bytes()):
            return int(match[1]) << 10
    with contextlib.suppress(OSError):  # that file may not be read everywhere; this one may
        resident = int((PROC / f"{pid}/statm").read_text().split()[1])
        return resident * os.sysconf("SC_PAGE_SIZE")
    return None
