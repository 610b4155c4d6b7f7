"""The supervisor takes the socket back, while this process completes its requests and ends."""

import asyncio
from collections.abc import Callable

from mlflow_proxy.shared.reports import Idle, Report, StoreReplaced


class Handover:
    """Begins with a report; the supervisor then accepts, and stops this process."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self.report = report
        self.has_begun = False
        self.has_stopped_accepting = asyncio.Event()
        """Set once every new request is one for the supervisor."""

    def begin(self, why: Idle | StoreReplaced) -> None:
        """Ask the supervisor to take over; idempotent."""
        if not self.has_begun:
            self.has_begun = True
            self.report(why)
