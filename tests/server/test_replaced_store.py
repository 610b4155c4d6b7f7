"""Requests are redirected to their own address once a store's file was replaced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from starlette.datastructures import Headers

from mlflow_proxy.addresses import IDLE_HEADER
from mlflow_proxy.reports import Report, StoreReplaced
from mlflow_proxy.server.middleware import replaced_store
from mlflow_proxy.server.middleware.replaced_store import ReplacedStore
from mlflow_proxy.server.serve import Retirement
from mlflow_proxy.server.store.opened_files import OpenedFiles
from support.asgi import Recorder, ask

SEARCH = "/api/2.0/mlflow/runs/search"
POLL = [(IDLE_HEADER.lower().encode(), b"1000")]


class Replaceable:
    """An application of a store that can be replaced."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mlflow.db"
        self.path.write_text("old")
        self.mlflow = Recorder(body=b"mlflow")
        self.reports: list[Report] = []
        self.retirement = Retirement(self.reports.append)
        self.app = ReplacedStore(self.mlflow, OpenedFiles([self.path]), self.retirement)

    def replace(self) -> None:
        """Replace the store."""
        new = self.path.with_name("new")
        new.write_text("new")
        new.rename(self.path)


@pytest.fixture
def store(tmp_path: Path) -> Replaceable:
    return Replaceable(tmp_path)


def test_a_request_reaches_mlflow_while_the_store_is_the_same(store: Replaceable) -> None:
    assert ask(store.app, SEARCH, method="POST", body=b"{}" * 100).body == b"mlflow"
    assert store.mlflow.bodies == [b"{}" * 100]
    assert not store.reports


def test_only_use_looks_at_the_store(store: Replaceable) -> None:
    store.replace()
    assert ask(store.app, SEARCH, headers=POLL).body == b"mlflow"
    assert ask(store.app, "/static-files/a.js").body == b"mlflow"
    assert not store.reports


def test_every_request_after_the_first_is_redirected(store: Replaceable) -> None:
    store.replace()
    store.retirement.begun.set()
    requests: list[dict[str, Any]] = [
        {"path": SEARCH, "method": "POST", "body": b"x" * 100},
        {"path": SEARCH, "headers": POLL},
        {"path": "/ajax-api/2.0/mlflow/runs/get"},
        {"path": "/static-files/a.js"},
    ]
    for each in requests:
        answer = ask(store.app, **each)
        assert (answer.status, answer.body) == (307, b"")
        assert answer.headers["cache-control"] == "no-store"
    assert not store.mlflow.scopes
    assert store.reports == [StoreReplaced(str(store.path))]


def test_a_request_waits_until_jupyter_sends_no_more_here(store: Replaceable) -> None:
    """Else its repetition might come to this process again."""
    store.replace()

    async def run() -> list[int]:
        order: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                order.append(message["status"])

        async def receive() -> Any:
            return {"type": "http.request"}

        requests = [asyncio.create_task(store.app(scope(), receive, send)) for _ in range(3)]
        await asyncio.wait(requests, timeout=0.5)
        order.append(0)
        store.retirement.begun.set()
        await asyncio.gather(*requests)
        return order

    assert asyncio.run(run()) == [0, 307, 307, 307]
    assert store.reports == [StoreReplaced(str(store.path))]


def test_mlflow_answers_if_nothing_takes_over(
    store: Replaceable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaced_store, "TIMEOUT", 0.1)
    store.replace()
    assert ask(store.app, SEARCH).body == b"mlflow"


def test_a_replacement_after_the_retirement_is_noticed_as_well(store: Replaceable) -> None:
    store.retirement.begun.set()
    assert ask(store.app, SEARCH).body == b"mlflow"
    store.replace()
    assert ask(store.app, SEARCH).status == 307


@pytest.mark.parametrize("base", ["http://host/mlflow", "https://hub/user/me/proxy/mlflow"])
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/?token=secret",
        "/api/2.0/mlflow/runs/create",
        "/api/2.0/mlflow/experiments/search?max_results=1&filter=name%20%3D%20'%C3%A4/b'",
        "/api/2.0/mlflow-artifacts/artifacts/1/a%2Fb%20c.txt?x=http://a//b",
        "/api/2.0/mlflow-artifacts/artifacts/a:b",
        "/javascript:alert(1)",
        "/folder/",
    ],
)
def test_the_redirect_leads_to_the_same_address(store: Replaceable, base: str, target: str) -> None:
    store.replace()
    store.retirement.begun.set()
    path, _, query = target.partition("?")
    location = ask(store.app, path, query=query.encode()).headers["location"]
    assert urljoin(base + target, location) == base + target


@pytest.mark.parametrize("path", ["//evil.example", "//evil.example/", "/x//evil.example/", "//"])
def test_the_redirect_leads_to_no_other_host(store: Replaceable, path: str) -> None:
    store.replace()
    store.retirement.begun.set()
    location = ask(store.app, path).headers["location"]
    assert urlsplit(urljoin(f"http://host{path}", location)).netloc == "host"
    assert urljoin("http://host/mlflow/", location).startswith("http://host/mlflow/")


def scope() -> dict[str, Any]:
    return {
        "type": "http",
        "path": SEARCH,
        "raw_path": SEARCH.encode(),
        "query_string": b"",
        "headers": Headers({}).raw,
        "method": "GET",
    }
