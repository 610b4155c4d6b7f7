"""What the MLflow process reports to the supervisor: one frozen dataclass a report, a line each."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, get_args

from .offers import Offer, Repair


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
    LOCATIONS = "locations"


@dataclass(frozen=True)
class StaticFolder:
    """MLflow's static files are in `folder`."""

    folder: str


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
class Idle:
    """MLflow has not been used for `seconds` and can be stopped."""

    seconds: float


@dataclass(frozen=True)
class StoreReplaced:
    """The SQLite file at `path` is no longer the one that was opened; another start opens it."""

    path: str


@dataclass(frozen=True)
class HandedOver:
    """MLflow leaves its socket to the supervisor, as `HAND_OVER` asks, and can be stopped."""


@dataclass(frozen=True)
class Version:
    """The MLflow that is shown has this `version`."""

    version: str


@dataclass(frozen=True)
class Warned:
    """Jupyter's log should have `message` as well."""

    message: str


@dataclass(frozen=True)
class Repaired:
    """The repair is done."""


@dataclass(frozen=True)
class Failure:
    """The start or the repair failed: what happened and what to do, a sentence each."""

    reason: str
    remedy: str
    offer: Offer | None = None
    """The repair that the page offers."""


Report = (
    StaticFolder
    | StageEntered
    | ModulesImported
    | Ready
    | Idle
    | StoreReplaced
    | HandedOver
    | Version
    | Warned
    | Repaired
    | Failure
)

HAND_OVER = b"hand over\n"
"""All that the supervisor sends to the MLflow process, once that is ready."""

TYPES: dict[str, type[Report]] = {each.__name__: each for each in get_args(Report)}
# Fields that JSON does not restore by itself.
FIELDS: dict[str, Callable[[Any], Any]] = {
    "stage": Stage,
    "step": Step,
    "offer": lambda fields: _offer(**fields),
}


def encode(report: Report) -> bytes:
    """Encode `report` as a line of JSON."""
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


def _offer(repair: str, copies: list[str], **fields: str) -> Offer:
    return Offer(repair=Repair(repair), copies=tuple(copies), **fields)
