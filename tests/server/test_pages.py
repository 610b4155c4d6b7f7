"""The dashboard's page and the trace page are changed, and no other response."""

from __future__ import annotations

import re

import pytest

from mlflow_proxy.addresses import (
    ARTIFACT_FRAME,
    ASSISTANT_KEY,
    GATEWAY,
    GRAPHQL,
    IDLE_HEADER,
    INPUT,
    INPUT_MESSAGE,
    MODE_KEY,
    RUN,
    RUN_SEARCH,
    STATUS,
    THEME_KEY,
    TRACE_PAGE,
)
from mlflow_proxy.server.middleware.pages import SCRIPTS, Pages
from mlflow_proxy.server.middleware.security import Security
from support.asgi import Recorder, ask

DASHBOARD = b'<html><head><script src="static-files/main.js"></script></head></html>'
TRACE = (
    b'<html><head><base href="/"><script src="/static-files/lib/trace.js"></script></head></html>'
)


def data(page: bytes) -> dict[str, str]:
    """The data that the first script of `page` gets."""
    tag = page.decode().partition("<script")[2].partition(">")[0]
    return dict(re.findall(r'data-([\w-]+)="([^"]*)"', tag))


def test_the_dashboard_gets_our_scripts_before_its_own() -> None:
    page = ask(Pages(Recorder(body=DASHBOARD), 60.0), "/").body.decode()
    before, scripts, after = page.partition(SCRIPTS)
    assert scripts
    assert re.fullmatch(r"<html><head><script [^>]*>", before)
    own = '<script nonce="" src="static-files/main.js"></script></head></html>'
    assert after == f"</script>{own}"


def test_the_scripts_get_their_addresses_as_data() -> None:
    page = ask(Pages(Recorder(body=DASHBOARD), 60.0), "/").body
    assert data(page) == {
        "attended": "15",
        "artifact-frame": ARTIFACT_FRAME[1:],
        "assistant-key": ASSISTANT_KEY,
        "base": "./",
        "gateway": GATEWAY[1:],
        "graph": GRAPHQL[1:],
        "has-local-address": "",
        "idle-header": IDLE_HEADER,
        "input": INPUT[1:],
        "input-message": INPUT_MESSAGE,
        "is-trace-page": "",
        "mode-key": MODE_KEY,
        "pause-after": "60",
        "run": RUN[1:],
        "run-search": RUN_SEARCH[1:],
        "status": STATUS[1:],
        "theme-key": THEME_KEY,
        "watch-limit": "3600",
    }


def test_the_trace_page_gets_our_scripts_and_relative_links() -> None:
    page = ask(Pages(Recorder(body=TRACE), 60.0), TRACE_PAGE).body
    assert data(page)["base"] == "../../../"
    assert data(page)["is-trace-page"] == "true"
    assert SCRIPTS.encode() in page
    assert page.count(b'<base href="../../../">') == 1
    assert page.count(b'src="static-files/lib/trace.js"') == 1


@pytest.mark.parametrize(("path", "body"), [("/", DASHBOARD), (TRACE_PAGE, TRACE)])
def test_every_script_of_a_page_has_the_nonce_of_the_policy(path: str, body: bytes) -> None:
    app = Security(Pages(Recorder((b"content-type", b"text/html"), body=body), 60.0))
    nonces = set()
    for _ in range(2):
        answer = ask(app, path)
        (nonce,) = re.findall("'nonce-([^']+)'", answer.headers["content-security-policy"])
        without_ours = answer.body.decode().replace(SCRIPTS, "")
        assert without_ours.count("<script") == 2
        assert without_ours.count(f'<script nonce="{nonce}"') == 2
        nonces.add(nonce)
    assert len(nonces) == 2


def test_a_changed_page_is_requested_complete_and_uncompressed() -> None:
    app = Recorder(body=DASHBOARD)
    conditions = [(b"if-none-match", b'"a"'), (b"if-modified-since", b"x")]
    headers = [(b"host", b"localhost"), *conditions, (b"accept-encoding", b"gzip")]
    ask(Pages(app, 60.0), "/", headers=headers)
    assert app.scopes[0]["headers"] == [(b"host", b"localhost")]


def test_a_changed_page_is_not_cached() -> None:
    validators = [(b"etag", b'"a"'), (b"last-modified", b"x"), (b"cache-control", b"max-age=60")]
    headers = ask(Pages(Recorder(*validators, body=DASHBOARD), 60.0), "/").headers
    assert headers.getlist("cache-control") == ["no-cache"]
    assert not {"etag", "last-modified"} & set(headers)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/"), ("HEAD", "/"), ("GET", "/graphql"), ("POST", TRACE_PAGE)]
)
def test_another_request_is_passed_on_unchanged(method: str, path: str) -> None:
    app = Recorder((b"etag", b'"a"'), body=DASHBOARD)
    headers = [(b"if-none-match", b'"a"')]
    answer = ask(Pages(app, 60.0), path, method=method, headers=headers)
    assert answer.body == DASHBOARD
    assert answer.headers["etag"] == '"a"'
    assert app.scopes[0]["headers"] == headers


def test_a_page_without_a_head_is_left_as_it_is() -> None:
    assert ask(Pages(Recorder(body=b"MLflow is not built"), 60.0), "/").body == (
        b"MLflow is not built"
    )


@pytest.mark.parametrize(
    ("hub", "pauses"), [(None, ["0", "60", "1800"]), ("/user/me/", ["120", "60", "120"])]
)
def test_a_page_pauses_earlier_on_a_hub(
    hub: str | None, pauses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    if hub:
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", hub)
    pages = [ask(Pages(Recorder(body=DASHBOARD), idle), "/").body for idle in (0, 60, 1800)]
    assert [data(page)["pause-after"] for page in pages] == pauses
