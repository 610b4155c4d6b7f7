"""The middlewares as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlflow_proxy.server import middleware
from mlflow_proxy.server.handover import Handover
from mlflow_proxy.server.middleware import Application, middlewares, wrap
from mlflow_proxy.server.middleware.artifact_uris import ArtifactUris
from mlflow_proxy.server.middleware.compressed_static_files import CompressedStaticFiles
from mlflow_proxy.server.middleware.use_tracker import LastUse, UseTracker
from mlflow_proxy.server.store.opened_files import OpenedFiles
from support.asgi import Recorder, ask

HOST = [(b"host", b"localhost")]
HANDOVER = Handover(lambda _: None)


def test_an_application_needs_neither_static_files_nor_artifacts() -> None:
    app = Recorder()
    declared = [each.cls for each in middlewares(Application(app), LastUse(), 0.0)]
    assert not {CompressedStaticFiles, ArtifactUris} & set(declared)
    stack = wrap(Application(app), LastUse(), 0.0)
    paths = ["/", "/api/2.0/mlflow/x", "/static-files/a.js", "/graphql"]
    for path in paths:
        assert ask(stack, path, headers=HOST, body=b"body").body == b"body"
    assert [scope["path"] for scope in app.scopes] == paths


def test_a_request_meets_the_middlewares_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, met = Application(Recorder(), tmp_path, str(tmp_path), OpenedFiles([])), []
    declared = middlewares(application, LastUse(), 0.0, HANDOVER)

    def recording(cls: Any) -> Any:
        class Recording(cls):
            async def __call__(self, *arguments: Any) -> None:
                met.append(cls)
                await super().__call__(*arguments)

        return Recording

    recorded = [type(each)(recording(each.cls), *each.args, **each.kwargs) for each in declared]
    monkeypatch.setattr(middleware, "middlewares", lambda *_: recorded)
    ask(wrap(application, LastUse(), 0.0, HANDOVER), "/api/2.0/mlflow/x", headers=HOST)
    assert met == [each.cls for each in declared]
    assert len(met) == len(set(met)) >= 9
    assert (met[0], met[-1]) == (UseTracker, ArtifactUris)
