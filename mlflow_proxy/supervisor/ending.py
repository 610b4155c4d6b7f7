"""What ends the supervisor: the end of Jupyter, or a signal."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
INTERVAL = 1.0  # seconds between looks at whether Jupyter still lives

_logger = logging.getLogger(__name__)


async def wait(jupyter_pid: int) -> int:
    """Wait for a signal or the end of Jupyter, our parent; returns the exit code (see `cli`)."""
    signalled: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for signum in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, _end, signalled, signum)
    # No event tells of a parent's end on every platform, so this looks.
    while os.getppid() == jupyter_pid:
        done, _ = await asyncio.wait([signalled], timeout=INTERVAL)
        if done:
            return signalled.result()
    _logger.info("Jupyter has ended (pid %d)", jupyter_pid)
    return 0


def _end(signalled: asyncio.Future[int], signum: int) -> None:
    if not signalled.done():
        _logger.info("Signal %d has come (%s)", signum, signal.strsignal(signum))
        signalled.set_result(128 + signum)
