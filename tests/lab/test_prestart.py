"""`prestart`: MLflow starts with Jupyter, before the first click."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

import psutil

from support.lab import PAGE, Lab
from support.processes import command_of, family_of
from support.waiting import wait_for

StartLab = Callable[..., Lab]


def test_mlflow_is_ready_before_the_first_click(start_lab: StartLab) -> None:
    lab = start_lab(config="c.MLflowProxy.prestart = True")
    mlflow = wait_for(lambda: mlflow_of(lab), 30, f"MLflow was not started, see {lab.log}")
    # A thread of low priority imports MLflow; another thread serves.
    if sys.platform == "linux":
        wait_for(lambda: 10 in niceness_of_threads(mlflow))
    wait_for(lambda: "MLflow is ready" in lab.mlflow_log.read_text(), 90)
    assert os.getpriority(os.PRIO_PROCESS, mlflow.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert "<title>MLflow</title>" in lab.get("/", headers=PAGE).text
    assert lab.status() == {"state": "ready"}
    assert lab.mlflow == mlflow


def mlflow_of(lab: Lab) -> psutil.Process | None:
    for process in family_of(lab.process.pid):
        command = command_of(process)
        if "--background" in command and "-m" not in command:
            return process
    return None


def niceness_of_threads(process: psutil.Process) -> set[int]:
    found = set()
    for thread in process.threads():
        with suppress(ProcessLookupError):  # the thread has just ended
            found.add(os.getpriority(os.PRIO_PROCESS, thread.id))
    return found
