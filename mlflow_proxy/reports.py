"""What the MLflow process reports to Jupyter: one frozen dataclass a report, a line each."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, get_args

NEWEST_TESTED = (3, 18)
"""The newest release of MLflow with which this package was tested."""


@dataclass(frozen=True)
class Offer:
    """The upgrade of a database, which needs the user's consent."""

    database: str
    """Its path, or its URI without password."""
    copy: str = ""
    """Path to which it is copied first; empty: it is not copied."""


class Stage(Enum):
    """Stages of a start, in order."""

    PREPARE = "prepare"
    IMPORT = "import"
    STORE = "store"
    SERVE = "serve"


class Step(Enum):
    """Work within a stage that takes time only now and then."""

    CREATE = "create"
    WAIT = "wait"
    UPGRADE = "upgrade"


@dataclass(frozen=True)
class StageEntered:
    """The start has reached `stage`."""

    stage: Stage
    step: Step | None = None


@dataclass(frozen=True)
class ModulesImported:
    """`count` modules are imported so far."""

    count: int


@dataclass(frozen=True)
class Ready:
    """MLflow accepts connections."""


@dataclass(frozen=True)
class Busy:
    """Whether one of MLflow's jobs runs or waits to run."""

    is_busy: bool


@dataclass(frozen=True)
class FilesOpened:
    """The SQLite stores are open: paths of their files and their identities (`opened_files`)."""

    files: dict[str, list[int]]


@dataclass(frozen=True)
class Retired:
    """MLflow knows that it gets no new requests (see `server/serve.py`)."""


@dataclass(frozen=True)
class Found:
    """The MLflow that is shown has this `version`, and its static files in `static_folder`."""

    version: str
    static_folder: str = ""
    """Empty if it is on a tracking server elsewhere, or has none."""

    @property
    def notice(self) -> str:
        """Says that it is newer than what was tested; empty if it is not, or unknown."""
        release = tuple(map(int, re.findall(r"\d+", self.version)[:2]))
        what = f"MLflow {self.version} is not tested with this release of jupyter-mlflow-proxy"
        return what if release > NEWEST_TESTED else ""


@dataclass(frozen=True)
class Upgraded:
    """The database is upgraded."""


@dataclass(frozen=True)
class Exited:
    """The process has ended; `code` is negative for a signal. Jupyter reports this to itself."""

    code: int


@dataclass(frozen=True)
class Failure:
    """The start or the upgrade failed: what happened and what to do, a sentence each."""

    reason: str
    remedy: str
    offer: Offer | None = None
    """The upgrade that the page offers."""


Report = (
    Found
    | StageEntered
    | ModulesImported
    | Ready
    | Busy
    | FilesOpened
    | Retired
    | Upgraded
    | Exited
    | Failure
)

TYPES: dict[str, type[Report]] = {each.__name__: each for each in get_args(Report)}
# Fields that JSON does not restore by itself.
FIELDS: dict[str, Callable[[Any], Any]] = {
    "stage": Stage,
    "step": Step,
    "offer": lambda fields: Offer(**fields),
}


def encode(report: Report) -> bytes:
    fields = {"report": type(report).__name__, **asdict(report)}
    return json.dumps(fields, default=lambda member: member.value).encode() + b"\n"


def decode(line: bytes) -> Report:
    """Decode what `encode` made.

    Raises:
        ValueError: this is not a report.
    """
    try:
        fields = json.loads(line)
        report = TYPES[fields.pop("report")]
        for name in FIELDS.keys() & fields.keys():
            if fields[name] is not None:
                fields[name] = FIELDS[name](fields[name])
        return report(**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a report: {line!r}") from error
