"""What is answered in MLflow's place: the frame of HTML artifacts, presigned downloads, jobs."""

from __future__ import annotations

import json

import pytest

from mlflow_proxy.addresses import ARTIFACT_FRAME
from mlflow_proxy.server import local, routes
from mlflow_proxy.server.routes import Routes
from mlflow_proxy.server.serve import stack
from mlflow_proxy.server.store.settings import StoreSettings
from support.asgi import Recorder, ask

WHY = "Set c.MLflowProxy.job_execution."
SETTINGS = StoreSettings("sqlite://", "sqlite://", "s3://bucket")
DASHBOARDS = "/ajax-api/2.0/mlflow/artifacts/presigned-download-url"
CLIENTS = "/api/2.0/mlflow/artifacts/presigned-download-url"


def test_the_frame_has_no_origin_and_is_answered_without_mlflow() -> None:
    app = Recorder()
    whole = stack(app, local.middlewares(SETTINGS, 0.0, None, ""))
    for each in (Routes(app, [routes.artifact_frame()]), whole):
        answer = ask(each, ARTIFACT_FRAME, headers=[(b"host", b"localhost")])
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers.getlist("content-security-policy") == ["sandbox allow-scripts"]
        assert answer.headers.getlist("x-frame-options") == ["SAMEORIGIN"]
        assert answer.headers["cache-control"] == "no-store"
        assert b"<script" in answer.body
    assert app.scopes == []


def test_any_other_request_reaches_mlflow() -> None:
    app = Routes(Recorder(body=b"MLflow"), [routes.artifact_frame()])
    assert ask(app, f"{ARTIFACT_FRAME}/x").body == b"MLflow"


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
    answer = ask(Routes(app, routes.no_jobs(WHY)), path, method=method, body=b"{}")
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
    assert ask(Routes(app, routes.no_jobs(WHY)), path, method=method).status == 200
    assert app.scopes


def test_where_jobs_run_nothing_is_refused() -> None:
    app = Routes(Recorder(), routes.no_jobs(""))
    assert ask(app, "/ajax-api/3.0/jobs/", method="POST", body=b"{}").status == 200


def status(path: str) -> int:
    app = Routes(Recorder(body=b"{}"), routes.no_presigned_downloads())
    return ask(app, path, method="POST", body=b"{}").status


def test_a_store_of_ones_own_has_no_presigned_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(routes.OWN_STORE, "http://minio:9000")
    assert status(DASHBOARDS) == status("/ajax-api/2.0/mlflow-artifacts/presigned/a/b") == 501
    assert status(CLIENTS) == 200


def test_that_of_amazon_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(routes.OWN_STORE, raising=False)
    assert status(DASHBOARDS) == 200
