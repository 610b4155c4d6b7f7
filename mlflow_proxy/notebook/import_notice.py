"""Tells the Jupyter server that a process of its user has imported MLflow."""

import contextlib
import os
import socket

from mlflow_proxy.addresses import IMPORT_SOCKET


def send() -> None:
    """Send the notice if Jupyter wants it; never waits, and never fails.

    A process that was forked after MLflow's import does not import it, and so sends nothing.
    """
    if not (path := os.environ.get(IMPORT_SOCKET)):
        return
    # Jupyter has ended, is on another machine, or has many notices already.
    with (
        contextlib.suppress(OSError, ValueError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        sender.setblocking(False)
        sender.sendto(b"\n", path)
