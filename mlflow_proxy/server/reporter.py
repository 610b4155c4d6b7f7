"""The MLflow process's connection to Jupyter. Its end ends the process."""

import atexit
import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_proxy.reports import Failure, ModulesImported, Report, encode

COUNT_INTERVAL = 0.1  # seconds
GRACE = 5.0  # seconds between SIGTERM and exit once Jupyter is gone

_logger = logging.getLogger(__name__)


class Reporter:
    """Reports to Jupyter over descriptor `fd`, which child processes do not inherit.

    Without one, jupyter-server-proxy runs this process by itself: failures are then logged.
    """

    def __init__(self, fd: int | None, unix_socket: Path) -> None:
        """Begin to wait for the end of Jupyter, which removes the folder of `unix_socket`."""
        self._socket = None if fd is None else socket.socket(fileno=fd)
        self._folder = unix_socket.parent
        if self._socket:
            self._socket.set_inheritable(False)
            atexit.register(self._remove_folder_after, self._socket)
            threading.Thread(
                target=self._end_with_jupyter, args=(self._socket,), daemon=True
            ).start()

    def send(self, report: Report) -> None:
        """Send `report`, unless Jupyter is gone, which ends this process as well."""
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.sendall(encode(report))
        elif isinstance(report, Failure):
            _logger.error("MLflow cannot start. %s %s", report.reason, report.remedy)

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

    def _remove_folder_after(self, jupyter: socket.socket) -> None:
        """Remove the folder if Jupyter is gone: its closed pipe may end this process first."""
        with contextlib.suppress(OSError):  # nothing to read: it still runs
            if not jupyter.recv(1, socket.MSG_DONTWAIT):
                shutil.rmtree(self._folder, ignore_errors=True)

    def _end_with_jupyter(self, jupyter: socket.socket) -> None:
        with contextlib.suppress(OSError):
            jupyter.recv(1)  # Jupyter sends nothing
        shutil.rmtree(self._folder, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # with what this process has started
        os._exit(1)
