"""Tells the Jupyter server that a process of its user has imported MLflow."""

import contextlib
import os
import socket

from mlflow_proxy.addresses import IMPORT_NOTICE


def send() -> None:
    """Send the notice if Jupyter wants it; never waits, and never fails.

    A process that was forked after MLflow's import does not import it, and so sends nothing.
    """
    port, _, token = os.environ.get(IMPORT_NOTICE, "").partition(" ")
    if not port.isdecimal():
        return
    with (
        contextlib.suppress(OSError, OverflowError),  # Jupyter has ended, or is not on this machine
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.setblocking(False)
        sender.sendto(token.encode(), ("127.0.0.1", int(port)))
