"""Jupyter's pages see what MLflow does, and stop and start it; nobody else does."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from mlflow_proxy.addresses import (
    CONTROL,
    CONTROL_LOG,
    CONTROL_RESTART,
    CONTROL_START,
    CONTROL_STOP,
    IDLE_HEADER,
)
from support.lab import PAGE, Lab
from support.waiting import wait_for
from support.wire import wire_server

pytestmark = pytest.mark.release
StartLab = Callable[..., Lab]
SEARCH = "/ajax-api/2.0/mlflow/experiments/search?max_results=10"
JSON = {"Content-Type": "application/json"}
FOREIGN = {"Origin": "https://evil.example"}


def state(lab: Lab) -> dict[str, Any]:
    answer = lab.get(CONTROL)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    return answer.json()


def act(lab: Lab, path: str) -> dict[str, Any]:
    answer = lab.post(path, json={})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (202, "no-store")
    return answer.json()


def wait_until(lab: Lab, wanted: str) -> dict[str, Any]:
    return wait_for(lambda: (found := state(lab))["state"] == wanted and found, 90)


def last_activity(lab: Lab) -> str:
    return lab.session.get(f"{lab.url}/api/status", timeout=30).json()["last_activity"]


def assert_that_only_jupyters_pages_may_act(lab: Lab, path: str) -> None:
    """Post to `path` as a page of Jupyter may not."""
    url, cookies = f"{lab.mlflow_url}{path}", lab.open_browser()
    token = {"X-XSRFToken": cookies.cookies["_xsrf"]}
    own = {"Origin": lab.url, **JSON}
    with cookies, requests.Session() as anonymous:
        for session, headers, status in (
            (anonymous, JSON, 403),
            (anonymous, {**own, **token}, 403),
            (cookies, own, 403),
            (cookies, {**own, "X-XSRFToken": "guessed"}, 403),
            (cookies, {**JSON, **token, **FOREIGN}, 403),
            (cookies, {**own, **token, "Content-Type": "text/plain"}, 415),
            (lab.session, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ):
            answer = session.post(url, data=b"{}", headers=headers, timeout=30)
            assert answer.status_code == status, headers
        for each in (CONTROL, CONTROL_LOG):
            read = f"{lab.mlflow_url}{each}"
            assert anonymous.get(read, timeout=30).status_code == 403
            assert cookies.get(read, headers=FOREIGN, timeout=30).status_code == 403
            assert cookies.get(read, timeout=30).status_code == 200
            assert cookies.post(read, headers={**own, **token}, timeout=30).status_code == 405
        # The same, as the page that may.
        assert cookies.post(url, data=b"{}", headers={**own, **token}, timeout=30).ok


def assert_that_kernels_may_not(lab: Lab, path: str) -> None:
    """Use the kernels' credential, at their address and at Jupyter's."""
    variables = lab.kernel_variables()
    headers = {"Authorization": f"Bearer {variables['MLFLOW_TRACKING_TOKEN']}"}
    address = variables["MLFLOW_TRACKING_URI"]
    assert requests.get(f"{address}{SEARCH}", headers=headers, timeout=60).ok
    for base, statuses in ((address, (404, 405)), (lab.mlflow_url, (403,))):
        for send, url in ((requests.get, f"{base}{CONTROL}"), (requests.post, f"{base}{path}")):
            assert send(url, headers={**headers, **JSON}, timeout=30).status_code in statuses


def test_mlflow_is_started_and_stopped_by_jupyters_pages_only(
    start_lab: StartLab, new_database: Path
) -> None:
    lab = start_lab(config="c.MLflowProxy.kernels = 'server'", database=new_database)
    before = last_activity(lab)
    stopped = state(lab)
    assert (stopped["state"], stopped["since"], stopped["pid"]) == ("stopped", None, None)
    assert stopped["store"] == f"sqlite:///{lab.root}/mlflow.db"
    assert act(lab, CONTROL_STOP)["state"] == "stopped"
    assert lab.get(CONTROL_LOG).text == ""
    assert last_activity(lab) == before
    assert not lab.mlflow_log.exists()

    assert_that_only_jupyters_pages_may_act(lab, CONTROL_START)
    assert last_activity(lab) > before
    assert wait_until(lab, "starting").keys() == stopped.keys()
    ready = wait_until(lab, "ready")
    assert ready["version"] == version("mlflow")
    assert ready["pid"] == lab.mlflow.pid
    assert 100 << 20 < ready["memory"] < 1 << 30
    assert time.time() - 60 < ready["since"] < time.time()
    assert f"MLflow is ready (pid {ready['pid']})" in lab.get(CONTROL_LOG).text
    assert lab.get(CONTROL_LOG).headers["Content-Type"] == "text/plain; charset=utf-8"
    assert_that_kernels_may_not(lab, CONTROL_STOP)
    assert state(lab)["state"] == "ready"

    before = last_activity(lab)
    assert_that_only_jupyters_pages_may_act(lab, CONTROL_STOP)
    idle = wait_until(lab, "idle")
    assert idle["text"] == "Stopped by the user"
    wait_for(lambda: not psutil.pid_exists(ready["pid"]))
    assert lab.get(SEARCH, headers={IDLE_HEADER: "1000"}).status_code == 503
    assert act(lab, CONTROL_STOP)["since"] == state(lab)["since"] == idle["since"]
    assert (state(lab)["pid"], state(lab)["memory"]) == (None, None)
    assert last_activity(lab) == before

    assert lab.get("/", headers=PAGE).ok
    assert wait_until(lab, "starting")["pid"] != ready["pid"]


def test_a_servers_password_and_values_of_variables_are_not_shown(start_lab: StartLab) -> None:
    with wire_server() as server:
        store = server.url.replace("://", "://me:hunter2@")
        lab = start_lab(
            config=f"""
c.MLflowProxy.backend_store_uri = {store!r}
c.MLflowProxy.environment = {{"SOME_KEY": "hunter3"}}
"""
        )
        # A restart starts what is not started.
        assert act(lab, CONTROL_RESTART)["state"] == "starting"
        ready = wait_until(lab, "ready")
        masked = store.replace("hunter2", "***")
        assert (ready["store"], ready["version"]) == (masked, "3.5.0")
        settings = ready["settings"]
        assert settings["backend_store_uri"] == settings["registry_store_uri"] == masked
        assert (settings["environment"], settings["idle_timeout"]) == ("SOME_KEY", "1800")
        assert settings["new_browser_tab"] == "True"
        for path in (CONTROL, CONTROL_LOG):
            assert "hunter" not in lab.get(path).text

        first = ready["pid"]
        act(lab, CONTROL_RESTART)
        assert lab.get(SEARCH).ok  # held
        assert wait_until(lab, "ready")["pid"] != first
