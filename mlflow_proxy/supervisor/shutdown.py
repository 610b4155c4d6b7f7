"""What makes the supervisor exit: the exit of Jupyter, or a signal."""

import asyncio
import logging
import os
import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
INTERVAL = 1.0  # seconds between checks of whether Jupyter is alive

_logger = logging.getLogger(__name__)


async def wait(jupyter_pid: int) -> int:
    """Wait for a signal or the exit of Jupyter, our parent; returns the exit code (see `main`)."""
    received: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for signum in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, _record, received, signum)
    # No event tells of a parent's exit on every platform, so this polls.
    while os.getppid() == jupyter_pid:
        done, _ = await asyncio.wait([received], timeout=INTERVAL)
        if done:
            return 128 + received.result()
    _logger.info("Jupyter has exited (pid %d)", jupyter_pid)
    return 0


def _record(received: asyncio.Future[int], signum: int) -> None:
    if not received.done():
        _logger.info("Received signal %d (%s)", signum, signal.strsignal(signum))
        received.set_result(signum)
