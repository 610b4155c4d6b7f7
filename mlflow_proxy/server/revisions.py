"""Which revisions of a database the installed MLflow knows, read from its folder in milliseconds.

alembic, which says the same, needs MLflow's whole database code: seconds of imports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REVISION = re.compile(r"^revision\b[^=\n]*=\s*[\"'](\w+)[\"']", re.MULTILINE)
BEFORE = re.compile(r"^down_revision\b[^=\n]*=(.*)$", re.MULTILINE)
NAMES = re.compile(r"[\"'](\w+)[\"']")


@dataclass(frozen=True)
class Revisions:
    """`latest` is the one that a database must be at; `known` are all that lead there."""

    latest: str
    known: frozenset[str]

    @classmethod
    def of(cls, mlflow_folder: Path) -> Revisions:
        """Read them from MLflow's migrations.

        Raises:
            ValueError: they are not written as they were up to now.
        """
        known: set[str] = set()
        before: set[str] = set()
        for file in (mlflow_folder / "store" / "db_migrations" / "versions").glob("*.py"):
            text = file.read_text(encoding="utf-8")
            known.update(REVISION.findall(text))
            before.update(name for names in BEFORE.findall(text) for name in NAMES.findall(names))
        try:
            (latest,) = known - before
        except ValueError:
            raise ValueError(f"{mlflow_folder} has no single latest revision") from None
        return cls(latest, frozenset(known))
