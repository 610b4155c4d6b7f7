"""Links to runs and traces that a kernel displays, and when it displays none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.kernel import Printed, run_cells
from support.lab import TOKEN, Lab

START = "import mlflow; mlflow.set_experiment('displayed'); mlflow.start_run(run_name='<mine>')"
RUN = "with mlflow.start_run(): print(mlflow.active_run().info.run_id)"
TRACE = "mlflow.trace(lambda: 1)()"


def run(lab: Lab, *codes: str) -> list[Printed]:
    return run_cells(lab.url, TOKEN, "displays.ipynb", ["import mlflow", *codes], 60)[1:]


def test_a_run_is_displayed_after_it_has_ended(lab: Lab) -> None:
    started, ended, after = run(lab, START, "mlflow.end_run()", "1")
    assert (started.html, after.html) == ("", "")
    assert '" target="_blank">&lt;mine&gt;</a>' in ended.html
    (run_id,) = re.findall(r'"/mlflow/#/experiments/\d+/runs/(\w+)"', ended.html)
    found = lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()
    assert found["run"]["info"]["run_name"] == "<mine>"


def test_the_last_of_several_runs_is_displayed(lab: Lab) -> None:
    (many,) = run(lab, f"for _ in range(3):\n  {RUN}")
    assert f"/runs/{many.stdout.split()[-1]}" in many.html
    assert many.html.count("View run") == 1


def test_a_trace_is_displayed(lab: Lab) -> None:
    traced, other = run(lab, f"{TRACE}; print(mlflow.get_last_active_trace_id())", "1")
    assert "iframe" in traced.html
    assert f"?trace_id={traced.stdout.strip()}&amp;experiment_id=" in traced.html
    assert other.html == ""


@pytest.mark.parametrize(
    "before",
    [
        "import os; os.environ['MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT'] = 'true'\n"
        "mlflow.tracing.disable_notebook_display()",
        "mlflow.set_tracking_uri('sqlite:///{folder}/another.db')",
    ],
    ids=["disabled", "another store"],
)
def test_runs_and_traces_are_not_displayed(lab: Lab, tmp_path: Path, before: str) -> None:
    cells = run(lab, before.format(folder=tmp_path), RUN, TRACE)
    assert [each.html for each in cells] == ["", "", ""]
