"""Kernels on a hub that ask MLflow's server of their own single-user server."""

from __future__ import annotations

import json

import pytest
import requests

from support.hub import Hub
from support.lab import PAGE

pytestmark = pytest.mark.hub

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
LOG_A_RUN = """
import json, mlflow, os
with mlflow.start_run() as run:
    mlflow.log_text("hello", "hello.txt")
assert run.data.tags["mlflow.source.name"].endswith(".ipynb"), run.data.tags
assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/hello.txt") == "hello"
print(json.dumps([mlflow.get_tracking_uri(), os.environ["MLFLOW_PROXY_LOCAL_CREDENTIAL"]]))
print(os.environ["MLFLOW_PROXY_DASHBOARD_URL"], run.info.run_id)
"""


def test_a_kernel_asks_its_own_server_and_the_hub_does_not_know_the_credential(hub: Hub) -> None:
    config = hub.home / "erin" / "config"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text("c.MLflowProxy.kernels = 'server'\n")
    hub.start_server("erin")
    *_, address, run = hub.run_in_kernel("erin", LOG_A_RUN).splitlines()
    url, credential = json.loads(address)
    dashboard, run_id = run.split()
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/user/erin/mlflow")
    assert url.removeprefix("http://").partition("/")[2] == dashboard.lstrip("/")

    with hub.log_in("erin") as session:
        session.get(hub.mlflow("erin"), headers=PAGE, timeout=60).raise_for_status()
        found = session.get(
            hub.mlflow("erin", f"/api/2.0/mlflow/runs/get?run_id={run_id}"), timeout=60
        )
        assert found.json()["run"]["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
    # From outside, through the hub's proxy, the credential opens nothing.
    for user in ("erin", "frank"):
        hub.start_server(user)
        headers = {"Host": hub.host, "Authorization": f"Bearer {credential}"}
        to = hub.mlflow(user, SEARCH)
        answer = requests.get(to, headers=headers, timeout=60, allow_redirects=False)
        assert answer.status_code in (302, 403)
    bearer = {"Authorization": f"Bearer {credential}"}
    assert requests.get(f"{url}{SEARCH}", headers=bearer, timeout=60).ok
