"""What programs get at the address for them: no location of another host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlflow_proxy.addresses import GUARDED, PROGRAM
from mlflow_proxy.server.middleware.programs import Programs
from support.asgi import Recorder, ask

AUTHORITY = "127.0.0.1:4321"


def answered(content: Any, program: str = "true", kind: bytes = b"application/json") -> Any:
    """What a program gets where MLflow answers `content`."""
    app = Recorder((b"content-type", kind), body=json.dumps(content).encode())
    headers = [(PROGRAM.lower().encode(), program.encode())] if program else []
    answer = ask(Programs(app, AUTHORITY), "/api/2.0/mlflow/runs/get", headers=headers)
    return json.loads(answer.body)


@pytest.mark.parametrize(
    "location",
    [
        "http://other.example/a",
        "HTTPS://other.example/a",
        "http://other.example@127.0.0.1:4322/a",
        f"http://{AUTHORITY}@other.example/a",
        f"http://{AUTHORITY}.other.example/a",
        "http://127.0.0.1/a",
        "mlflow-artifacts://other.example/a",
        "mlflow-artifacts:////other.example/a",
        "MLFLOW-ARTIFACTS://other.example/a",
        "http:other.example/a",
        "ht\ntp://other.example/a",
    ],
)
def test_a_location_of_another_host_is_of_no_use(location: str) -> None:
    for content in (
        {"run": {"info": {"artifact_uri": location}}},
        {"experiments": [{"artifact_location": "/a"}, {"artifact_location": location}]},
        {"trace": {"tags": {"mlflow.artifactLocation": location}}},
        {"tags": [{"key": "mlflow.trace.archiveLocation", "value": location}]},
        {"model_version": {"source": location}},
    ):
        found = json.dumps(answered(content))
        assert "refused-by-jupyter-mlflow-proxy:" in found
        assert found.count("refused-by") == 1
        assert answered(content, GUARDED) == content
        assert answered(content, "") == content  # the dashboard's page


@pytest.mark.parametrize(
    "location",
    [
        "mlflow-artifacts:/1/a",
        f"mlflow-artifacts://{AUTHORITY}/1/a",
        f"http://{AUTHORITY}/mlflow/api/2.0/mlflow-artifacts/artifacts/1",
        "/home/me/mlartifacts/1",
        "file:///home/me/what%3F/1",
        "s3://bucket/a",
        "runs:/1/model",
        "models:/m/1",
        "http://[",
        "",
        None,
        7,
    ],
)
def test_any_other_location_stays(location: Any) -> None:
    content = {"run": {"info": {"artifact_uri": location}, "source": location}}
    assert answered(content) == content


def test_text_that_names_a_host_stays() -> None:
    text = "http://other.example/"
    content = {"params": [{"key": "url", "value": text}], "tags": {"mlflow.note.content": text}}
    assert answered(content) == content
