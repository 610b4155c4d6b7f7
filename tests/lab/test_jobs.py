"""A judge from the click to the assessment, through the Lab; its jobs end with Jupyter."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import requests

from mlflow_proxy.addresses import LOCAL_CREDENTIAL, LOCAL_URL
from support.judged_store import INVOKE, JudgedStore, assessments
from support.lab import Lab, lab_server
from support.model_server import model_server
from support.processes import command_of, family_of
from support.waiting import wait_for

# MLflow 3.10 asks the gateway by LiteLLM, which is not installed.
JUDGE = "direct" if version("mlflow").startswith("3.10.") else "gateway"
TIMEOUT = 240.0  # seconds for a job, whose imports take as long as MLflow's start


def invoke(lab: Lab, body: dict[str, Any]) -> str:
    """Click "Run judge"; returns the job's id."""
    answer = lab.post(INVOKE, json=body)
    assert answer.ok, answer.text
    (job,) = answer.json()["jobs"]
    return job["job_id"]


def last_activity(lab: Lab) -> datetime:
    """When Jupyter was last used, as a hub's idle culler learns it."""
    return datetime.fromisoformat(lab.session.get(f"{lab.url}/api/status").json()["last_activity"])


def test_a_judge_asks_the_gateway_and_ends_with_jupyter(tmp_path: Path) -> None:
    made, root = tmp_path / "made", tmp_path / 'it\'s "My%20Project"? {x}'
    made.mkdir()
    root.mkdir()
    with model_server() as model:
        store = JudgedStore(made, model.url)
        database = store.copy_to(root)  # its judge is off
        with lab_server(tmp_path, root=root, env=model.variables) as lab:
            lab.wait_until("ready", TIMEOUT)
            job = invoke(lab, store.invocation(JUDGE))
            wait_for(lambda: assessments(database), TIMEOUT)
            assert assessments(database) == [("polite", "true", None)]
            path = f"/ajax-api/3.0/jobs/{job}"
            wait_for(lambda: lab.get(path).json()["status"] == "SUCCEEDED")
            assert_that_the_credential_is_needed_and_hidden(lab)

            # A job is activity for as long as it runs.
            model.answers.clear()
            asked = len(model.requests)
            invoke(lab, store.invocation("direct"))
            wait_for(lambda: len(model.requests) > asked, TIMEOUT)
            before = last_activity(lab)
            wait_for(lambda: last_activity(lab) > before)
            family = family_of(lab.process.pid)
            assert any("_job_subproc_entry" in str(command_of(each)) for each in family)
            os.kill(lab.process.pid, signal.SIGKILL)
            assert not psutil.wait_procs(family, timeout=20)[1]


def assert_that_the_credential_is_needed_and_hidden(lab: Lab) -> None:
    """Check the address that jobs use."""
    variables = lab.mlflow.environ()
    url, credential = variables[LOCAL_URL], variables[LOCAL_CREDENTIAL]
    path = f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert requests.get(path, timeout=30).status_code == 401
    assert requests.get(path, timeout=30, auth=("any", credential)).status_code == 200
    commands = [" ".join(command_of(each)) for each in family_of(lab.process.pid)]
    assert not [command for command in commands if credential in command]
    for log in (lab.log, lab.mlflow_log):
        assert credential not in log.read_text()
