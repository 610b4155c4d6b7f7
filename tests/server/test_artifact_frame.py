"""The page in which the dashboard shows an HTML artifact runs its scripts without an origin."""

from __future__ import annotations

from mlflow_proxy.server.middleware import Application, wrap
from mlflow_proxy.server.middleware.artifact_frame import ArtifactFrame
from mlflow_proxy.server.middleware.use_tracker import LastUse
from mlflow_proxy.addresses import ARTIFACT_FRAME
from support.asgi import Recorder, ask


def test_the_frame_has_no_origin_and_is_answered_without_mlflow() -> None:
    app = Recorder()
    stack = wrap(Application(app), LastUse(), 0.0)
    for each in (ArtifactFrame(app), stack):
        answer = ask(each, ARTIFACT_FRAME, headers=[(b"host", b"localhost")])
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers.getlist("content-security-policy") == ["sandbox allow-scripts"]
        assert answer.headers.getlist("x-frame-options") == ["SAMEORIGIN"]
        assert answer.headers["cache-control"] == "no-store"
        assert b"<script" in answer.body
    assert app.scopes == []


def test_any_other_request_reaches_mlflow() -> None:
    assert ask(ArtifactFrame(Recorder(body=b"MLflow")), f"{ARTIFACT_FRAME}/x").body == b"MLflow"
