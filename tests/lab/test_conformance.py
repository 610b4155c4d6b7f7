"""The Lab answers byte for byte as `mlflow server` does; failures of S3 have a remedy besides.

MLflow's client makes the same calls to both (`tests/conformance`). An endpoint that an older MLflow
lacks is missing in both.
"""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from support.conformance import FAMILIES, transcripts
from support.lab import Lab
from support.transcript import Transcripts, table

pytestmark = pytest.mark.release
TABLE = Path(__file__).parents[1] / "conformance.md"


@pytest.fixture(scope="module")
def both(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Transcripts, Transcripts]:
    """The transcripts of `mlflow server` and of the Lab."""
    return transcripts(lab, tmp_path_factory.mktemp("conformance"))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lab_answers_as_mlflow_server_does(
    both: tuple[Transcripts, Transcripts], family: str
) -> None:
    plain, through_lab = both
    assert plain[family]
    for expected, exchange in zip(plain[family], through_lab[family], strict=True):
        assert exchange == expected or is_explained(exchange, expected)


JOBS = '"scheduled_issue_detection"'


def is_explained(exchange: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether it says what to do where MLflow answers with a page "Internal Server Error".

    Or that jobs are on, which is our default and not MLflow's (since MLflow 3.18).
    """
    without_jobs = exchange["body"].replace(f"{JOBS}:true", f"{JOBS}:false")
    if {**exchange, "body": without_jobs} == expected:
        return True
    asked = ("method", "path", "asked")
    return (
        [exchange[each] for each in asked] == [expected[each] for each in asked]
        and expected["status"] == 500
        and "Internal Server Error" in expected["body"]
        and "Correct AWS_ACCESS_KEY_ID" in exchange["body"]
    )


def test_the_table_matches_the_calls(both: tuple[Transcripts, Transcripts]) -> None:
    plain, _ = both
    assert tuple(plain) == FAMILIES
    text = TABLE.read_text(encoding="utf-8")
    (of_release,) = re.findall(r"MLflow (\d+\.\d+)", text)
    # The client of another release uses other endpoints, or lacks some of the calls.
    is_of_another = not version("mlflow").startswith(f"{of_release}.")
    assert is_of_another or table(plain) in text, "Run: python tests/conformance/table.py"
