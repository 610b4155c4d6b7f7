"""Where jobs do not run, what submits one is refused, and no judge claims to be on."""

from __future__ import annotations

import json

import pytest

from mlflow_proxy.server.middleware.no_jobs import NoJobs
from support.asgi import Recorder, ask

WHY = "Set c.MLflowProxy.job_execution."
CONFIGS = {"configs": [{"scorer_id": "a", "sample_rate": 0.5, "filter_string": None}]}
JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ajax-api/3.0/jobs"),
        ("POST", "/ajax-api/3.0/jobs/"),
        ("POST", "/ajax-api/3.0/mlflow/scorer/invoke"),
        ("POST", "/ajax-api/3.0/mlflow/issues/invoke"),
        ("POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke"),
        ("POST", "/api/3.0/mlflow/prompt-optimization/jobs"),
        ("PUT", "/ajax-api/3.0/mlflow/scorers/online-config"),
    ],
)
def test_what_submits_a_job_is_refused(method: str, path: str) -> None:
    app = Recorder()
    answer = ask(NoJobs(app, WHY), path, method=method, body=b"{}")
    assert (answer.status, json.loads(answer.body)["message"]) == (400, WHY)
    assert not app.scopes


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ajax-api/3.0/mlflow/prompt-optimization/jobs"),
        ("POST", "/ajax-api/3.0/jobs/search"),
        ("PATCH", "/ajax-api/3.0/jobs/cancel/1"),
        ("POST", "/ajax-api/3.0/mlflow/issues/search"),
    ],
)
def test_what_shows_jobs_is_not(method: str, path: str) -> None:
    app = Recorder()
    assert ask(NoJobs(app, WHY), path, method=method).status == 200
    assert app.scopes


@pytest.mark.parametrize("part", ["api", "ajax-api"])
def test_judges_are_shown_as_off(part: str) -> None:
    app = NoJobs(Recorder(JSON, body=json.dumps(CONFIGS).encode()), WHY)
    answer = ask(app, f"/{part}/3.0/mlflow/scorers/online-configs")
    (config,) = json.loads(answer.body)["configs"]
    assert config == {"scorer_id": "a", "sample_rate": 0.0, "filter_string": None}


def test_an_error_of_mlflows_is_left_as_it_is() -> None:
    error = b'{"error_code": "INVALID_PARAMETER_VALUE"}'
    app = NoJobs(Recorder(JSON, status=400, body=error), WHY)
    answer = ask(app, "/ajax-api/3.0/mlflow/scorers/online-configs")
    assert (answer.status, answer.body) == (400, error)
