"""Wait for an event with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.05  # seconds between polls


def wait_for(what: Callable[[], T], timeout: float = 30.0, message: str = "") -> T:
    """Return the first true result of `what`; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if answer := what():
            return answer
        assert time.monotonic() < deadline, message or f"no {what} within {timeout} s"
        time.sleep(INTERVAL)
