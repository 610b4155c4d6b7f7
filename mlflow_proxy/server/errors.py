"""Why MLflow cannot start, for a person."""

from __future__ import annotations


class StartError(Exception):
    """A start that fails for a known reason; it becomes the page's two sentences."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy
