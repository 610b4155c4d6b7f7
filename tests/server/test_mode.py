"""The mode in which a page of the dashboard starts is that of what is in the store."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import mssql, mysql, postgresql

from mlflow_proxy.server import mode
from mlflow_proxy.server.middleware.pages import Pages
from mlflow_proxy.server.mode import CurrentMode, Mode
from support.asgi import Recorder, ask
from support.databases import run

# Prints the counts after each step.
FILL = """
import json, os, sys, mlflow
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow_proxy.server import mode
os.chdir(sys.argv[2])
engine = SqlAlchemyStore(sys.argv[1], sys.argv[2]).engine
client = mlflow.MlflowClient(sys.argv[1])
mlflow.set_tracking_uri(sys.argv[1])
counts = {}
def count(step):
    counts[step] = mode.count(engine)
count("empty")
bare = client.create_run("0")
count("a run without metrics and parameters")
metric = client.create_run("0").info.run_id
client.log_metric(metric, "loss", 1)
count("a metric")
client.log_param(client.create_run("0").info.run_id, "depth", 3)
count("a parameter")
client.delete_run(metric)
count("a deleted run")
evaluation = client.create_run("0", tags={"mlflow.runType": "genai_evaluate"}).info.run_id
client.log_metric(evaluation, "is_long", 1)
count("an evaluation")
mlflow.set_experiment("chatbot")
for _ in range(2):
    mlflow.trace(lambda: 1)()
mlflow.flush_trace_async_logging()
count("two traces")
client.delete_experiment(client.get_experiment_by_name("chatbot").experiment_id)
count("a deleted experiment")
print(json.dumps(counts))
"""
COUNTS = {
    "empty": [0, 0],
    "a run without metrics and parameters": [0, 0],
    "a metric": [1, 0],
    "a parameter": [2, 0],
    "a deleted run": [1, 0],
    "an evaluation": [1, 0],
    "two traces": [1, 2],
    "a deleted experiment": [1, 0],
}
PAGE = b'<html><head><script src="static-files/main.js"></script></head></html>'


def test_training_runs_and_traces_are_counted(tmp_path: Path) -> None:
    printed = run(FILL, f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path))
    assert json.loads(printed.splitlines()[-1]) == COUNTS


@pytest.mark.parametrize("dialect", [postgresql, mysql, mssql])
def test_no_database_counts_more_than_a_part(dialect: object) -> None:
    for counted in (mode._training_runs(), mode._traces()):
        sql = str(select(counted).compile(dialect=dialect.dialect()))  # type: ignore[attr-defined]
        assert re.search("LIMIT|TOP", sql)


@pytest.mark.parametrize(
    ("runs", "traces", "expected"),
    [
        (0, 0, Mode.TRAINING),
        (3, 0, Mode.TRAINING),
        (0, 1, Mode.GENAI),
        (5, 2, Mode.TRAINING),
        (2, 5, Mode.GENAI),
        (200, 200, Mode.TRAINING),
    ],
)
def test_the_mode_is_that_of_the_more_frequent_kind(runs: int, traces: int, expected: Mode) -> None:
    assert mode.choose_mode(runs, traces) is expected


def test_a_page_gets_the_mode_and_an_unknown_one_is_left_to_mlflow() -> None:
    async def find() -> Mode:
        return Mode.GENAI

    async def fail() -> Mode:
        raise ConnectionError

    modes = []
    for current in (CurrentMode(find), CurrentMode(fail), None):
        page = ask(Pages(Recorder(body=PAGE), 60.0, current), "/").body.decode()
        modes += re.findall('data-mode="([^"]*)"', page)
    assert modes == ["genai", "", ""]


def test_a_store_that_hangs_delays_a_page_briefly_and_is_asked_once() -> None:
    calls = 0

    async def check() -> None:
        async def find() -> Mode:
            nonlocal calls
            calls += 1
            if calls > 1:
                await asyncio.Event().wait()
            return Mode.GENAI

        current = CurrentMode(find, timeout=0.01)
        answers = [await asyncio.wait_for(current(), 5) for _ in range(4)]
        assert answers == [Mode.GENAI] * 4

    asyncio.run(check())
    assert calls == 2
