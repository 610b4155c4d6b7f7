"""File systems that lack something."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .processes import running
from .waiting import wait_for

PROGRAM = Path(__file__).parents[1] / "resources" / "file_system.py"
AVAILABLE = os.path.exists("/dev/fuse") and os.geteuid() == 0


class Mounted(NamedTuple):
    """A mounted file system."""

    folder: Path
    content: Path
    """The folder that it passes everything on to."""
    abort: Callable[[], None]
    """Ends all requests, also one that hangs, which no signal to its program would end."""


@contextmanager
def mounted(folder: Path, locks: str, *options: str) -> Iterator[Mounted]:
    """Mount a file system in `folder` whose locks do `locks` (see the program)."""
    (content := folder / "content").mkdir(exist_ok=True)
    (mount_point := folder / "mounted").mkdir(exist_ok=True)
    command = [sys.executable, str(PROGRAM), str(content), str(mount_point), locks, *options]
    with running(command, cwd=folder, env=os.environ, log=folder / "fuse.log") as process:
        log = folder / "fuse.log"
        wait_for(lambda: mount_point.is_mount() or process.poll() is not None)
        assert mount_point.is_mount(), log.read_text()
        try:
            yield Mounted(mount_point, content, process.kill)
        finally:
            subprocess.run(["umount", "--lazy", str(mount_point)], check=True)
