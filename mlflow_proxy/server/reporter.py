"""The MLflow process's line to the supervisor: reports go up it, and its end ends the process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import StartError

REPORT_EVERY = 25  # modules
GRACE = 5.0  # seconds to end in good order once the supervisor is gone


class Reporter:
    """Reports to the supervisor over descriptor `fd`, which is not handed on to any child."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        threading.Thread(target=self._end_with_supervisor, daemon=True).start()

    def static_folder(self, folder: Path) -> None:
        """MLflow's static files are in `folder`."""
        self._report(event="static", folder=str(folder))

    def stage(self, stage: str, text: str = "") -> None:
        """The start has come to `stage`; names and texts are those of the supervisor's progress."""
        self._report(event="stage", stage=stage, text=text)

    def ready(self) -> None:
        """MLflow accepts connections."""
        self._report(event="ready")

    def idle(self, seconds: float) -> None:
        """Nobody has used MLflow for so long: it is to be stopped."""
        self._report(event="idle", seconds=seconds)

    def failed(self, error: StartError) -> None:
        """The start has failed."""
        upgrade = error.upgrade and asdict(error.upgrade)
        self._report(event="failed", reason=error.reason, remedy=error.remedy, upgrade=upgrade)

    def upgraded(self) -> None:
        """The database is upgraded."""
        self._report(event="upgraded")

    @contextmanager
    def counting_modules(self) -> Iterator[None]:
        """Report how many modules are imported, while the context lasts."""
        counter = ModuleCounter(lambda count: self._report(event="modules", count=count))
        sys.meta_path.insert(0, counter)
        try:
            yield
        finally:
            sys.meta_path.remove(counter)
            self._report(event="modules", count=counter.count)

    def _report(self, **report: Any) -> None:
        with contextlib.suppress(OSError):  # the supervisor is gone, and so is this process soon
            self._socket.sendall(json.dumps(report).encode() + b"\n")

    def _end_with_supervisor(self) -> None:
        with contextlib.suppress(OSError):
            while self._socket.recv(1024):  # the supervisor says nothing; it only ends
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)


class ModuleCounter(MetaPathFinder):
    """Counts the modules that are looked for, and finds none of them."""

    def __init__(self, report: Any) -> None:
        self.count = 0
        self._report = report

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Count `fullname`; the finders after this one find it."""
        self.count += 1
        if self.count % REPORT_EVERY == 0:
            self._report(self.count)
        return None
