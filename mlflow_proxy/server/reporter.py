"""The MLflow process's connection to the supervisor. Its end ends the process."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow_proxy.shared.reports import HAND_OVER, ModulesImported, Report, encode

COUNT_INTERVAL = 0.1  # seconds
GRACE = 5.0  # seconds between SIGTERM and exit once the supervisor is gone


class Reporter:
    """Reports to the supervisor over descriptor `fd`, which child processes do not inherit."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self.on_hand_over: Callable[[], None] = lambda: None
        """Called in another thread when the supervisor has sent `HAND_OVER`."""
        threading.Thread(target=self._end_with_supervisor, daemon=True).start()

    def send(self, report: Report) -> None:
        """Send `report`, unless the supervisor is gone, which ends this process as well."""
        with contextlib.suppress(OSError):
            self._socket.sendall(encode(report))

    @contextmanager
    def counting_modules(self) -> Iterator[None]:
        """Report how many modules are imported, while the context lasts."""
        ended = threading.Event()

        def count() -> None:
            while not ended.wait(COUNT_INTERVAL):
                self.send(ModulesImported(len(sys.modules)))

        threading.Thread(target=count, daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            self.send(ModulesImported(len(sys.modules)))

    def _end_with_supervisor(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(1024):
                if HAND_OVER in data:
                    self.on_hand_over()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # with what this process has started
        os._exit(1)
