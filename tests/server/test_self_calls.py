"""Where MLflow reaches itself, and whom its Assistant takes for local."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request

from mlflow_proxy.addresses import ASSISTANT, MAY_EXECUTE
from mlflow_proxy.server.middleware.self_calls import (
    ASSISTANT_CONFIG,
    FORWARDED,
    OFFERED,
    REMOTE_ASSISTANT,
    OwnAddress,
    SelfCalls,
)
from support.asgi import Recorder, ask

ADDRESS = OwnAddress("http://127.0.0.1:4321/user/a/mlflow", "secret")
MARK = (MAY_EXECUTE.lower().encode(), b"true")
HOST = (b"host", b"localhost")


def received(path: str, *headers: tuple[bytes, bytes]) -> Request:
    """The request that MLflow receives."""
    app = Recorder()
    ask(SelfCalls(app, ADDRESS), path, headers=[HOST, *headers])
    return Request(app.scopes[0])


def test_guardrails_get_addresses_that_open_the_gateway_only() -> None:
    request = received("/gateway/mlflow/v1/chat/completions")
    authority, credential = ADDRESS.authority, ADDRESS.gateway_credential
    assert str(request.base_url) == f"http://{authority}/{credential}/"  # before MLflow 3.18
    host, port = request.scope["server"]
    assert (host, port) == (f"mlflow:{ADDRESS.gateway_credential}@127.0.0.1", 4321)  # later
    assert ADDRESS.credential not in f"{request.base_url}{host}"


def test_the_assistant_gets_an_address_without_a_secret() -> None:
    request = received(f"{ASSISTANT}sessions/1/stream", MARK)
    assert str(request.base_url) == "http://127.0.0.1:4321/"
    assert request.scope["server"] == ("127.0.0.1", 4321)


def test_a_user_who_may_run_code_is_local_behind_any_proxy() -> None:
    proxies = [(name.encode(), b"192.0.2.1") for name in FORWARDED]
    request = received(f"{ASSISTANT}message", MARK, *proxies)
    assert request.client
    assert request.client.host == "127.0.0.1"
    assert not set(FORWARDED) & set(request.headers)


@pytest.mark.parametrize("mark", [[], [(MARK[0], b"false")], [(MARK[0], b"")]])
def test_any_other_user_is_not_local(mark: list[tuple[bytes, bytes]]) -> None:
    assert received(f"{ASSISTANT}message", *mark).client is None


@pytest.mark.parametrize(
    ("headers", "body", "answer"),
    [
        ([MARK], b'{"a": 1, "remote_access_allowed": false}', {"a": 1, OFFERED: True}),
        ([], b'{"a": 1, "remote_access_allowed": false}', {"a": 1, OFFERED: False}),
        ([MARK], b'{"detail": "an error"}', {"detail": "an error"}),
        ([MARK], b"[1]", [1]),
    ],
)
def test_the_assistant_is_offered_to_those_who_may_use_it(
    headers: list[tuple[bytes, bytes]], body: bytes, answer: Any
) -> None:
    app = Recorder((b"content-type", b"application/json"), body=body)
    told = ask(SelfCalls(app, ADDRESS), ASSISTANT_CONFIG, headers=[HOST, *headers])
    assert json.loads(told.body) == answer
    assert int(told.headers["content-length"]) == len(told.body)


@pytest.mark.parametrize("value", ["false", "0"])
def test_an_admin_may_forbid_the_offer(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(REMOTE_ASSISTANT, value)
    app = Recorder((b"content-type", b"application/json"), body=b'{"remote_access_allowed": false}')
    told = ask(SelfCalls(app, ADDRESS), ASSISTANT_CONFIG, headers=[HOST, MARK])
    assert json.loads(told.body) == {OFFERED: False}


def test_what_is_no_configuration_is_passed_on() -> None:
    for kind in (b"application/json", b"text/plain"):
        app = Recorder((b"content-type", kind), body=b"remote_access_allowed")
        told = ask(SelfCalls(app, ADDRESS), ASSISTANT_CONFIG, headers=[HOST, MARK])
        assert told.body == b"remote_access_allowed"


@pytest.mark.parametrize("path", ["/", "/gateway", "/api/2.0/mlflow/runs/get", f"/{ASSISTANT}x"])
def test_any_other_request_is_passed_on_unchanged(path: str) -> None:
    request = received(path, MARK)
    assert request.headers["host"] == "localhost"
    assert "app_root_path" not in request.scope
