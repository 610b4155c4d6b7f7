"""What users read when the artifact store refuses, with the real MLflow, boto3 and an S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from mlflow_proxy.server.middleware.artifact_failures import ArtifactRemedies, explained
from support.asgi import Recorder, ask
from support.processes import environment
from support.s3 import BUCKET, KEY_ID, s3_server

PROGRAM = Path(__file__).parents[1] / "resources" / "ask_for_artifacts.py"
JSON = (b"content-type", b"application/json")
KEYS = "Correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and"
SETTINGS = "in c.MLflowProxy.default_artifact_root. Or correct MLFLOW_S3_ENDPOINT_URL"
# Case, status of what MLflow leaves unexplained, and a part of the remedy.
CASES = [
    ("no bucket", 400, SETTINGS),
    ("refused connection", 503, "Check that the artifact store is running"),
    ("unknown", 503, "correct MLFLOW_S3_ENDPOINT_URL"),
    ("silent", 503, "Check that the artifact store is running"),
    ("misspelt", 400, SETTINGS),
    ("tls", 400, "AWS_CA_BUNDLE"),
    ("refused key", 403, KEYS),
    ("no credentials", 403, KEYS),
    ("no rights", 403, KEYS),
    ("no driver", 501, "-m pip install boto3"),
]


class Answer(NamedTuple):
    """An answer of MLflow."""

    status: int
    text: str
    seconds: float


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Answer]:
    """The answers by case and request."""
    home = tmp_path_factory.mktemp("artifacts")
    with s3_server(home) as s3:
        quick = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2"}
        variables = {**s3.variables, **quick}
        printed = subprocess.run(
            [sys.executable, PROGRAM, home, s3.url, BUCKET],
            env=environment(home, variables),
            cwd=home,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("[")]
    return {(case, request): Answer(*answer) for case, request, *answer in lines}


@pytest.mark.parametrize(("case", "status", "remedy"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("request_", ["list", "download"])
def test_a_refusal_has_a_reason_and_a_remedy(
    answers: dict[tuple[str, str], Answer], request_: str, case: str, status: int, remedy: str
) -> None:
    answer = answers[case, request_]
    message = json.loads(answer.text)["message"]
    assert message.count(remedy) == 1
    assert answer.status == status or "Failed to list artifacts" in message
    assert answer.seconds < 20
    assert not [secret for secret in ("hunter2", KEY_ID, "?list-type") if secret in answer.text]


def test_an_upload_through_the_server_is_refused_as_well(
    answers: dict[tuple[str, str], Answer],
) -> None:
    for case, status, remedy in CASES[1:]:
        answer = answers[case, "upload"]
        assert (answer.status, remedy in answer.text) == (status, True), (case, answer)


def test_what_an_answer_says_is_enough(answers: dict[tuple[str, str], Answer]) -> None:
    for case, *_ in CASES[:-1]:  # the last is in tests/life/test_package_remedies.py
        for request in ("list", "upload"):
            assert answers[f"{case}, corrected", request].status == 200, (case, request)


def test_what_works_and_what_is_no_failure_of_the_store_is_left_alone(
    answers: dict[tuple[str, str], Answer],
) -> None:
    assert answers["good", "list"].status == answers["good", "upload"].status == 200
    assert explained("division by zero") is None
    for body in (b'{"files": []}', b'{"error_code": "X", "message": 1}', b'"error_code"', b"{"):
        app = ArtifactRemedies(Recorder(JSON, status=500, body=body))
        assert ask(app, "/get-artifact").body == body
