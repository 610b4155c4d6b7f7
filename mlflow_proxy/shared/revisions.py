"""Revisions of a database that the installed MLflow knows, read from its folder in milliseconds.

alembic could tell, but needs MLflow's database code: seconds of imports.
"""

import re
from dataclasses import dataclass
from pathlib import Path

REVISION = re.compile(r"^revision\b[^=\n]*=\s*[\"'](\w+)[\"']", re.MULTILINE)
BEFORE = re.compile(r"^down_revision\b[^=\n]*=(.*)$", re.MULTILINE)
NAMES = re.compile(r"[\"'](\w+)[\"']")


@dataclass(frozen=True)
class Revisions:
    """`latest` is the revision that a database must have; `known` are all that lead to it."""

    latest: str
    known: frozenset[str]

    @classmethod
    def of(cls, mlflow_folder: Path) -> "Revisions":
        """Read them from MLflow's migrations.

        Raises:
            ValueError: the migrations have an unknown format.
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
