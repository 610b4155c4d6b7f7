"""Reports survive the way from the MLflow process to Jupyter; anything else is refused."""

from __future__ import annotations

from dataclasses import fields
from importlib import metadata

import pytest

from mlflow_proxy.reports import (
    FIELDS,
    TYPES,
    Busy,
    Exited,
    Failure,
    FilesOpened,
    Found,
    ModulesImported,
    Offer,
    Ready,
    Report,
    Retired,
    Stage,
    StageEntered,
    Step,
    Upgraded,
    decode,
    encode,
)

REPORTS: list[Report] = [
    Found("3.17.2", "/opt/ä b/mlflow/server/js/build"),
    *(StageEntered(stage) for stage in Stage),
    *(StageEntered(Stage.STORE, step) for step in Step),
    ModulesImported(1234),
    Ready(),
    Busy(True),
    Busy(False),
    FilesOpened({"/work/ä b/mlflow.db": [1, 2]}),
    Retired(),
    Exited(0),
    Exited(-9),
    Found("3.17.2"),
    Upgraded(),
    Failure('The disk\nof "x" is full.', "Free some space."),
    Failure("It is older.", "Upgrade it.", Offer("/work/ä b/mlflow.db", "a.bak")),
    Failure("It is older.", "", Offer("postgresql://me:***@host/database")),
]


@pytest.mark.parametrize("report", REPORTS, ids=repr)
def test_a_report_survives_as_one_line(report: Report) -> None:
    line = encode(report)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == report


def test_every_kind_of_report_is_tested() -> None:
    assert {type(each) for each in REPORTS} == set(TYPES.values())


def test_a_field_name_has_one_meaning_in_all_reports() -> None:
    """`decode` restores a field by its name."""
    names = [each.name for kind in TYPES.values() for each in fields(kind)]
    assert all(names.count(name) == 1 for name in FIELDS)
    assert "report" not in names


@pytest.mark.parametrize(
    "line",
    [
        b'{"report": "StageEntered", "stage": "imports", "step": null}\n',
        b'{"report": "StageEntered", "stage": "Import", "step": null}\n',
        b'{"report": "StageEntered", "stage": "store", "step": "creates"}\n',
        b'{"report": "StageEntered", "stage": ["store"], "step": null}\n',
        b'{"report": "StageEntered"}\n',
        b'{"report": "Done"}\n',
        b'{"report": "ready"}\n',
        b"{}\n",
        b"{",
        b'{"report": "Report"}\n',
        b'{"report": "Offer", "database": "a", "copy": ""}\n',
        b'{"report": ["Ready"]}\n',
        b'{"report": null}\n',
        b'{"stage": "store"}\n',
        b'{"report": "Ready", "seconds": 1}\n',
        b'{"report": "Busy"}\n',
        b'{"report": "Failure", "reason": "a", "remedy": "b", "offer": {}}\n',
        b'{"report": "Failure", "reason": "a", "remedy": "b", "offer": "c"}\n',
        b'{"report": "Failure", "reason": "a", "remedy": "b", "offer": {"repair": "upgrade"}}\n',
        b'{"report": "Ready"\n',
        b'{"report": "Rea',
        b"[]\n",
        b'"Ready"\n',
        b"null\n",
        b"1\n",
        b"MLflow is ready\n",
        b"\xff\xfe\n",
        b"\n",
        b"",
    ],
)
def test_a_line_that_is_no_report_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (`json` has its own message)
        decode(line)


@pytest.mark.parametrize("version", ["3.10.0", "3.18.2", "3.18.0rc1", "2.22.0", ""])
def test_a_release_of_mlflow_up_to_the_newest_tested_has_no_notice(version: str) -> None:
    assert not Found(version).notice


@pytest.mark.parametrize("version", ["3.19.0", "3.100.0.dev0", "4.0.0rc1"])
def test_a_newer_release_of_mlflow_has_one(version: str) -> None:
    assert Found(version).notice.startswith(f"MLflow {version} is not tested with this release")


@pytest.mark.release
def test_the_installed_mlflow_is_one_of_the_tested() -> None:
    assert not Found(metadata.version("mlflow")).notice
