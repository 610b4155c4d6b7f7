"""How long to wait before MLflow is restarted after a crash."""

FIRST_DELAY = 0.5  # seconds; doubles with each crash in a row
LAST_DELAY = 30.0  # seconds
HEALTHY = 60.0  # seconds of service after which a crash counts as the first again


class Backoff:
    """Counts crashes in a row and gives the delay after each."""

    def __init__(self) -> None:
        self.crashes = 0
        self._next = FIRST_DELAY

    def after(self, served: float) -> float:
        """Count a crash after `served` seconds of service; returns the seconds to wait."""
        if served > HEALTHY:
            self.crashes, self._next = 0, FIRST_DELAY
        self.crashes += 1
        delay, self._next = self._next, min(2 * self._next, LAST_DELAY)
        return delay
