"""What is displayed below a cell: what it has logged to the dashboard's store, and nothing else."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from support.kernel import Printed, kernel
from support.lab import TOKEN, Lab, lab_server
from support.listener import listener
from support.waiting import wait_for

START = "import mlflow; mlflow.set_experiment('displayed'); mlflow.start_run(run_name='<mine>')"
RUN = "with mlflow.start_run(): print(mlflow.active_run().info.run_id)"
TRACE = "mlflow.trace(lambda: 1)()"
EVALUATE = """
from mlflow.genai.scorers import scorer
@scorer
def is_long(outputs):
    return len(outputs) > 2
data = [{"inputs": {"question": q}, "outputs": q} for q in ("a", "long")]
result = mlflow.genai.evaluate(data=data, scorers=[is_long])
print(result.run_id)
"""
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "source": "1 + 1", "outputs": [{"text": "2"}], "execution_count": 7},
        {"cell_type": "markdown", "source": "ä"},
    ],
    "nbformat": 4,
}
# Nothing can be written until it is over.
HOLD = """
import sqlite3, threading
held = sqlite3.connect({database!r}, isolation_level=None, check_same_thread=False)
held.execute("BEGIN EXCLUSIVE")
threading.Timer({seconds}, held.rollback).start()
"""
LINK = re.compile(r'"/mlflow/#/experiments/\d+/runs/(\w+)\?workflowType=machine_learning"')
EVALUATION = re.compile(
    r'"/mlflow/#/experiments/\d+/evaluation-runs\?selectedRunUuid=(\w+)&amp;workflowType=genai"'
)
FRAME = re.compile(r'src="/mlflow/static-files/[^"?]*\?([^"]*)"')

Run = Callable[..., list[Printed]]


@pytest.fixture(
    scope="module", params=[pytest.param("database", marks=pytest.mark.release), "server"]
)
def kernels_lab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, new_database: Path
) -> Iterator[Lab]:
    """A Jupyter server for each way in which kernels reach the store."""
    home = tmp_path_factory.mktemp(request.param)
    config = f"c.MLflowProxy.kernels = '{request.param}'\nc.MLflowProxy.log_notebook = 'code'"
    with lab_server(home, config=config, database=new_database) as lab:
        lab.wait_until("ready")
        (lab.root / "displays.ipynb").write_text(json.dumps(NOTEBOOK))
        yield lab


@pytest.fixture(scope="module")
def run(kernels_lab: Lab) -> Iterator[Run]:
    """A function that runs cells in one kernel, which has imported MLflow."""
    with kernel(kernels_lab.url, TOKEN, "displays.ipynb") as run_cells:
        run_cells("import mlflow")
        yield run_cells


@pytest.fixture(scope="module")
def run_apart(kernels_lab: Lab) -> Iterator[Run]:
    """A function that runs cells in another kernel, whose tests choose a store each."""
    with kernel(kernels_lab.url, TOKEN, "apart.ipynb") as run_cells:
        run_cells("import mlflow")
        yield run_cells


def traces_in(html: str) -> list[str]:
    """The traces in the frames of `html`."""
    return [
        each for query in FRAME.findall(html) for each in re.findall(r"trace_id=([\w-]+)", query)
    ]


def test_a_run_is_displayed_after_it_has_ended(kernels_lab: Lab, run: Run) -> None:
    started, ended, after = run(START, "mlflow.end_run()", "1")
    assert (started.html, after.html) == ("", "")
    assert '" target="_blank">&lt;mine&gt;</a>' in ended.html
    (run_id,) = LINK.findall(ended.html)
    found = kernels_lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()
    assert found["run"]["info"]["run_name"] == "<mine>"


def test_all_runs_of_a_cell_are_displayed_and_no_address_of_this_machine(run: Run) -> None:
    (many,) = run(f"for _ in range(3):\n  {RUN}")
    assert LINK.findall(many.html) == many.stdout.split()
    assert "127.0.0.1" not in many.stdout + many.stderr + many.html


def test_many_runs_are_counted(run: Run) -> None:
    (many,) = run(f"for _ in range(22):\n  {RUN}")
    assert LINK.findall(many.html) == many.stdout.split()[:20]
    assert "22 runs in experiment" in many.html
    assert ">2 more</a>" in many.html
    (compared,) = re.findall(r"#/compare-runs\?runs=([^&]*)&", many.html)
    assert json.loads(unquote_plus(compared)) == many.stdout.split()


def test_a_run_that_a_client_ends_or_that_is_resumed_is_displayed(run: Run) -> None:
    created, ended, resumed = run(
        "client = mlflow.MlflowClient(); "
        "made = client.create_run(mlflow.set_experiment('displayed').experiment_id).info.run_id; "
        "print(made)",
        "client.set_terminated(made, 'FAILED')",
        "with mlflow.start_run(run_id=made): pass\nwith mlflow.start_run(run_id=made): pass",
    )
    made = created.stdout.split()
    assert created.html == ""
    assert LINK.findall(ended.html) == LINK.findall(resumed.html) == made


def test_a_trace_is_displayed_once_and_no_earlier_run(run: Run) -> None:
    _, traced, other = run(RUN, f"{TRACE}; print(mlflow.get_last_active_trace_id())", "1")
    assert traces_in(traced.html) == traced.stdout.split()
    assert traced.html.count("<iframe") == 1
    assert not LINK.findall(traced.html)
    assert other.html == ""


def test_all_traces_of_a_cell_are_displayed_in_one_frame(run: Run) -> None:
    code = f"for _ in range(3):\n  {TRACE}; print(mlflow.get_last_active_trace_id())"
    (traced,) = run(code)
    assert sorted(traces_in(traced.html)) == sorted(traced.stdout.split())
    assert traced.html.count("<iframe") == 1


def test_a_trace_is_displayed_as_the_value_of_a_cell(run: Run) -> None:
    traced, shown = run(
        f"{TRACE}; made = mlflow.get_last_active_trace_id(); print(made)",
        "trace = mlflow.get_trace(made)\ndisplay(trace)",
    )
    assert set(traces_in(shown.html)) == set(traced.stdout.split())
    assert "127.0.0.1" not in shown.html


def test_a_run_and_its_trace_are_displayed(run: Run) -> None:
    code = f"with mlflow.start_run() as made:\n  {TRACE}\nprint(made.info.run_id)"
    (both,) = run(code)
    assert LINK.findall(both.html) == both.stdout.split()
    assert len(traces_in(both.html)) == 1


def test_an_evaluation_is_a_link_without_its_traces(kernels_lab: Lab, run: Run) -> None:
    (evaluated,) = run(EVALUATE)
    run_id = evaluated.stdout.split()[-1]
    found = kernels_lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()
    tags = {tag["key"] for tag in found["run"]["data"]["tags"]}
    if "mlflow.runType" in tags:
        assert EVALUATION.findall(evaluated.html) == [run_id]
        assert not traces_in(evaluated.html)
    else:  # MLflow before 3.12 does not mark its evaluations
        assert LINK.findall(evaluated.html) == [run_id]


def test_where_the_display_is_disabled_runs_and_traces_are_not_displayed(run: Run) -> None:
    quiet = "os.environ['MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT']"
    disable = f"import os; {quiet} = 'true'\nmlflow.tracing.disable_notebook_display()"
    enable = f"del {quiet}\nmlflow.tracing.enable_notebook_display()"
    cells = run(disable, RUN, TRACE, enable, RUN)
    assert [each.html for each in cells[:-1]] == ["", "", "", ""]
    assert LINK.findall(cells[-1].html) == cells[-1].stdout.split()


def test_runs_and_traces_of_another_store_are_not_displayed(run_apart: Run, tmp_path: Path) -> None:
    cells = run_apart(f"mlflow.set_tracking_uri('sqlite:///{tmp_path}/another.db')", RUN, TRACE)
    assert [each.html for each in cells] == ["", "", ""]


def test_a_store_of_ones_own_keeps_its_artifacts_beside_the_notebook(
    kernels_lab: Lab, run_apart: Run
) -> None:
    uri, artifact = run_apart(
        "mlflow.set_tracking_uri('sqlite:///own.db')\n"
        "mlflow.set_experiment('own')\n"
        "with mlflow.start_run() as own: mlflow.log_text('own', 'own.txt')",
        "print(own.info.artifact_uri)",
    )
    folder = Path(artifact.stdout.strip().removeprefix("file://"))
    assert (folder / "own.txt").read_text() == "own"
    assert folder.is_relative_to(kernels_lab.root / "mlruns")
    assert uri.html == ""


def test_no_cell_waits_for_a_store_that_hangs(kernels_lab: Lab, run: Run) -> None:
    _, _, after = run(TRACE, "1", "1")
    assert after.seconds < 0.3  # 2 s where MLflow is asked to flush its traces
    hold = HOLD.format(database=str(kernels_lab.root / "mlflow.db"), seconds=3)
    began = time.monotonic()
    timed = f"import time; began = time.time(); {TRACE}; print(time.time() - began)"
    (traced,) = run(f"{hold}{timed}; print(mlflow.get_last_active_trace_id())")
    of_mlflow, trace_id = traced.stdout.split()  # before 3.13 it waits for the store itself
    assert traced.seconds - float(of_mlflow) < 1
    assert time.monotonic() - began > 2  # it is shown once it is stored
    assert traces_in(traced.html) == [trace_id]
    (later,) = run("1")
    assert (later.html, later.seconds < 0.3) == ("", True)


def test_the_experiments_of_a_cell_have_a_line_each(run: Run) -> None:
    (two,) = run(
        "for name in ('first', 'second', 'first'):\n"
        "  mlflow.set_experiment(name)\n"
        "  with mlflow.start_run(): pass"
    )
    lines = two.html.splitlines()
    assert len(lines) == 2
    assert "2 runs in experiment" in lines[0]
    assert ">first</a>" in lines[0]
    assert lines[1].startswith("<div>Run <a ")
    assert "compare" not in lines[1]


def source_of(lab: Lab, run_id: str) -> tuple[str, str]:
    """Name and kind of a run's source."""
    found = lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()["run"]
    tags = {tag["key"]: tag["value"] for tag in found["data"]["tags"]}
    return tags["mlflow.source.name"], tags["mlflow.source.type"]


def test_the_notebook_is_the_source_and_is_kept_with_its_run(kernels_lab: Lab, run: Run) -> None:
    # Another Jupyter server of the user.
    another = kernels_lab.runtime / f"jpserver-{os.getpid()}.json"
    with listener() as elsewhere:
        server = {"url": f"{elsewhere.url}/", "token": "", "pid": os.getpid(), "root_dir": "/"}
        another.write_text(json.dumps(server))
        (made,) = run(RUN)
        another.unlink()
        assert elsewhere.take() == []
    run_id = made.stdout.strip()
    assert source_of(kernels_lab, run_id) == ("displays.ipynb", "NOTEBOOK")
    assert "/api/sessions?" not in kernels_lab.log.read_text()

    path = f"/get-artifact?run_id={run_id}&path=notebook/displays.ipynb"
    kept = wait_for(lambda: (answer := kernels_lab.get(path)).ok and json.loads(answer.content))
    assert kept["cells"][0]["outputs"] == []
    assert kept["cells"][0]["source"] == "1 + 1"
    assert kept["cells"][1] == NOTEBOOK["cells"][1]


def test_a_notebook_that_is_renamed_and_saved_is_the_source(kernels_lab: Lab, run: Run) -> None:
    contents = f"{kernels_lab.url}/api/contents"
    for before, after in (("displays", "renamed"), ("renamed", "displays")):
        to = {"path": f"{after}.ipynb"}
        kernels_lab.session.patch(f"{contents}/{before}.ipynb", json=to).raise_for_status()
        saved = {"type": "notebook", "format": "json", "content": NOTEBOOK}
        kernels_lab.session.put(f"{contents}/{after}.ipynb", json=saved)
        (made,) = run(RUN)
        run_id = made.stdout.strip()
        assert source_of(kernels_lab, run_id) == (f"{after}.ipynb", "NOTEBOOK")
        kept = f"/get-artifact?run_id={run_id}&path=notebook/{after}.ipynb"
        wait_for(lambda kept=kept: kernels_lab.get(kept).ok)


def test_a_store_that_is_set_before_the_import_is_not_the_dashboards(
    kernels_lab: Lab, tmp_path: Path
) -> None:
    with kernel(kernels_lab.url, TOKEN, "Console 1") as run_cells:
        _, made, traced = run_cells(
            f"import os; os.environ['MLFLOW_TRACKING_URI'] = 'sqlite:///{tmp_path}/own.db'",
            "import mlflow\n"
            "with mlflow.start_run() as own: mlflow.log_text('own', 'own.txt')\n"
            "tags = mlflow.get_run(own.info.run_id).data.tags\n"
            "print(tags['mlflow.source.name'], tags['mlflow.source.type'], own.info.artifact_uri)",
            TRACE,
        )
    assert made.html == traced.html == ""
    assert made.stdout.startswith("Console 1 LOCAL ")
    folder = Path(made.stdout.split()[-1].removeprefix("file://"))
    assert (folder / "own.txt").exists()
    assert not folder.is_relative_to(kernels_lab.root / "mlartifacts")
