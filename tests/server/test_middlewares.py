"""The middlewares as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.middleware import Middleware

from mlflow_proxy.server import local
from mlflow_proxy.server.middleware.artifact_uris import ArtifactUris
from mlflow_proxy.server.middleware.security import Security
from mlflow_proxy.server.middleware.self_calls import OwnAddress
from mlflow_proxy.server.serve import stack
from mlflow_proxy.server.store.settings import StoreSettings
from support.asgi import Recorder, ask

HOST = [(b"host", b"localhost")]
ADDRESS = OwnAddress("http://127.0.0.1:4321/mlflow", "secret")


def declared(artifact_root: str) -> list[Middleware]:
    """All the middlewares around an MLflow in this process."""
    settings = StoreSettings("sqlite://", "sqlite://", artifact_root)
    return local.middlewares(settings, 0.0, ADDRESS, "Jobs are switched off.")


@pytest.mark.parametrize("root", ["s3://bucket", "/artifacts"])
def test_other_requests_reach_mlflow(root: str) -> None:
    app = Recorder()
    whole = stack(app, declared(root))
    paths = ["/", "/api/2.0/mlflow/x", "/static-files/a.js", "/graphql"]
    for path in paths:
        assert ask(whole, path, headers=HOST, body=b"body").body == b"body"
    assert [scope["path"] for scope in app.scopes] == paths


def test_a_request_meets_the_middlewares_in_their_order(tmp_path: Path) -> None:
    met = []

    def recording(cls: Any) -> Any:
        class Recording(cls):
            async def __call__(self, *arguments: Any) -> None:
                met.append(cls)
                await super().__call__(*arguments)

        return Recording

    all_ = declared(str(tmp_path))
    recorded = [type(each)(recording(each.cls), *each.args, **each.kwargs) for each in all_]
    ask(stack(Recorder(), recorded), "/api/2.0/mlflow/x", headers=HOST)
    assert met == [each.cls for each in all_]
    assert len(met) == len(set(met)) >= 6
    assert (met[0], met[-1]) == (Security, ArtifactUris)
