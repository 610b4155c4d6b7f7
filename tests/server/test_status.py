"""The loading page's status request is answered once MLflow is ready."""

from __future__ import annotations

from mlflow_proxy.addresses import STATUS
from mlflow_proxy.server.middleware.status import ReadyStatus
from support.asgi import Recorder, ask


def test_the_status_is_ready_without_mlflow() -> None:
    app = Recorder()
    answer = ask(ReadyStatus(app), STATUS)
    assert (answer.status, answer.body) == (200, b'{"state":"ready"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert app.scopes == []


def test_any_other_request_reaches_mlflow() -> None:
    app = Recorder()
    assert ask(ReadyStatus(app), f"{STATUS}/x", method="POST", body=b"mlflow").body == b"mlflow"
    assert len(app.scopes) == 1
