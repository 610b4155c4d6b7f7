"""Jupyter's cookies and tokens never reach MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.server.middleware import Application, wrap
from mlflow_proxy.server.middleware.jupyter_credentials import JupyterCredentials
from mlflow_proxy.server.middleware.use_tracker import LastUse
from support.asgi import Recorder, ask

SECRETS = {
    "Cookie": "username-localhost-8888=hunter2",
    "Authorization": "token hunter2",
    "Proxy-Authorization": "Basic hunter2",
    "X-XSRFToken": "hunter2",
    "X-Csrftoken": "hunter2",
    "Referer": "http://localhost/lab?token=hunter2",
}


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"token=abc", b""),
        (b"token=abc&page=2", b"page=2"),
        (b"page=2&token=abc", b"page=2"),
        (b"a=1&token=abc&b=%20&token=d", b"a=1&b=%20"),
        (b"%74oken=abc&a", b"a"),
        (b"t%6Fken=abc", b""),
        (b"_xsrf=abc&%5fxsrf=d&a=1", b"a=1"),
        (b"+token=abc", b""),
        (b"page_token=abc&tokens=1", b"page_token=abc&tokens=1"),
        (b"path=a%26token=b", b"path=a%26token=b"),
        (b"%zz&%ff=1", b"%zz&%ff=1"),
    ],
)
def test_only_credentials_are_removed_from_a_query(query: bytes, left: bytes) -> None:
    app = Recorder()
    ask(JupyterCredentials(app), query=query)
    assert app.scopes[0]["query_string"] == left


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_jupyters_cookies_and_tokens_never_reach_mlflow(tmp_path: Path, method: str) -> None:
    app = Recorder()
    stack = wrap(Application(app, tmp_path, str(tmp_path)), LastUse(), 60.0)
    headers = [(name.lower().encode(), value.encode()) for name, value in SECRETS.items()]
    headers += [(b"host", b"localhost"), (b"accept", b"*/*"), (b"cookie", b"a=hunter2")]
    query = b"token=hunter2&page=2&%74oken=hunter2&_xsrf=hunter2"
    assert ask(stack, "/api/2.0/mlflow/x", method=method, headers=headers, query=query).status < 300
    (scope,) = app.scopes
    assert "hunter2" not in repr(scope)
    assert scope["query_string"] == b"page=2"
    assert sorted(scope["headers"]) == [(b"accept", b"*/*"), (b"host", b"localhost")]
