"""Repairs of the store that the page offers, and those that the user has declined."""

import json
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Repair(Enum):
    """A change of the store that needs the user's consent."""

    UPGRADE = "upgrade"
    LOCATIONS = "locations"


@dataclass(frozen=True)
class Offer:
    """A repair as the page offers it, in words for a person."""

    repair: Repair
    action: str
    """The button's text, e.g. "Upgrade database"."""
    subject: str
    """What is changed, a line each."""
    warning: str
    """What to consider first."""
    copies: tuple[str, ...] = ()
    """Paths to which the databases are copied first; empty: they are not copied."""
    decline: str = ""
    """Text of the button that starts MLflow without the repair; empty: it cannot."""


class DeclinedOffers:
    """The offers that the user has declined, in a file, so that each is made once.

    An offer with other words or paths is another one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, offer: Offer) -> None:
        """Record that the user has declined `offer`.

        Raises:
            OSError: the file cannot be written.
        """
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        part.write_text(json.dumps(sorted({*self._read(), _key(offer)})))
        part.replace(self.path)

    def __contains__(self, offer: Offer) -> bool:
        """Whether the user has declined `offer`."""
        return _key(offer) in self._read()

    def _read(self) -> list[str]:
        try:
            keys = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return []
        return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []


def _key(offer: Offer) -> str:
    return f"{offer.repair.value}: {offer.subject}"
