"""What the MLflow process reports arrives as it was sent, or is an error."""

from __future__ import annotations

from typing import get_args

import pytest

from mlflow_proxy.shared.reports import (
    Failure,
    Idle,
    ModulesImported,
    Ready,
    Report,
    Stage,
    StageEntered,
    StaticFolder,
    Step,
    Upgrade,
    Upgraded,
    decode,
    encode,
)

REPORTS = [
    StaticFolder("/mlflow/ünd"),
    *(StageEntered(stage) for stage in Stage),
    *(StageEntered(Stage.STORE, step) for step in Step),
    ModulesImported(2500),
    Ready(),
    Idle(1800.0),
    Upgraded(),
    Failure("It is\nbroken.", "Mend it."),
    Failure("It is old.", "Upgrade it.", Upgrade("mlflow.db", "mlflow.db.bak")),
]


@pytest.mark.parametrize("report", REPORTS, ids=repr)
def test_a_report_survives_its_encoding(report: Report) -> None:
    line = encode(report)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == report


def test_every_kind_is_tested() -> None:
    assert {type(report) for report in REPORTS} == set(get_args(Report))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"{}",
        b'{"report": "Redy"}',
        b'{"report": "Ready", "seconds": 1}',
        b'{"report": "Idle"}',
        b'{"report": "StageEntered", "stage": "imprt", "step": null}',
        b'{"report": "StageEntered", "stage": "store", "step": "creat"}',
        b'{"report": "Failure", "reason": "a", "remedy": "b", "upgrade": {"database": "c"}}',
        b'{"report": ["Ready"]}',
        b"\xff",
    ],
)
def test_a_misspelt_report_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (json's own errors are of this kind)
        decode(line)
