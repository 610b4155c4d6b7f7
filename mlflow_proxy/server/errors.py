"""Why MLflow cannot start, for a person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Upgrade:
    """What the page may offer: to upgrade `database`, which is first copied to `copy`, if that."""

    database: str
    copy: str


class StartError(Exception):
    """A start that fails for a known reason; it becomes the page's two sentences."""

    def __init__(self, reason: str, remedy: str, upgrade: Upgrade | None = None) -> None:
        super().__init__(f"{reason} {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.upgrade = upgrade
