"""The address for kernels does not depend on how people reach Jupyter and log in to it."""

from __future__ import annotations

import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests
from jupyter_server.auth import passwd

from mlflow_proxy.addresses import LOCAL_CREDENTIAL, LOCAL_URL
from mlflow_proxy.web.local_address import MAX_STRANGERS
from support.certificates import authority
from support.lab import Lab, lab_server
from support.server import Server, jupyter_server

SERVER = "c.MLflowProxy.kernels = 'server'\n"
PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
LOG_A_RUN = """
import mlflow
with mlflow.start_run() as run:
    mlflow.log_text("hello", "95%_ci.txt")
assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/95%_ci.txt") == "hello"
print(run.info.run_id)
"""


def log_as_a_kernel(lab: Lab, **variables: str) -> str:
    """Log a run with the environment of a kernel; returns the run's id."""
    logged = subprocess.run(
        [sys.executable, "-c", LOG_A_RUN],
        cwd=lab.root,
        env={**lab.kernel_variables(), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert logged.returncode == 0, logged.stderr
    return logged.stdout.split()[-1]


@pytest.fixture(scope="module")
def closed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose kernels are given nothing, below a base URL with a dot."""
    home = tmp_path_factory.mktemp("closed")
    config = "c.MLflowProxy.export_tracking_uri = False"
    with jupyter_server(home, config, base_url="/a.b/") as server:
        server.run_stand_in("serve", home)
        yield server


def ports_of(server: Server) -> list[int]:
    """The ports on which Jupyter listens for HTTP."""
    connections = psutil.Process(server.process.pid).net_connections()
    return [each.laddr.port for each in connections if each.status == "LISTEN"]


def test_there_is_no_port_before_something_may_use_it(closed_server: Server) -> None:
    assert ports_of(closed_server) == [closed_server.port]
    # Known-good: MLflow's jobs and its Assistant ask for it.
    closed_server.start()
    closed_server.wait_until("ready")
    assert len(ports_of(closed_server)) == 2


def test_silent_connections_leave_jupyter_its_descriptors(closed_server: Server) -> None:
    closed_server.start()
    closed_server.wait_until("ready")
    variables = closed_server.child.environ()
    url, port = variables[LOCAL_URL], int(variables[LOCAL_URL].split(":")[2].split("/")[0])
    headers = {"Authorization": f"Bearer {variables[LOCAL_CREDENTIAL]}"}
    jupyter = psutil.Process(closed_server.process.pid)
    before = jupyter.num_fds()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        with ExitStack() as stack:
            for count in range(1200):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
                if count % 400 == 399:
                    assert jupyter.num_fds() < before + 2 * MAX_STRANGERS
                    # Known-good: a program with the credential, and a person, are answered.
                    assert requests.get(f"{url}/x", headers=headers, timeout=60).ok
                    assert closed_server.status()["state"] == "ready"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_dot_in_the_base_url_matches_a_dot(closed_server: Server) -> None:
    assert closed_server.path == "/a.b/mlflow"
    for path, status in (("/a.b/mlflow/", 200), ("/aXb/mlflow/", 404), ("/aXb/mlflow/api", 404)):
        connection = closed_server.connection()
        connection.request("GET", path, headers=closed_server.headers())
        assert connection.getresponse().status == status, path
        connection.close()


def test_neither_jupyters_own_certificate_nor_a_proxy_is_asked_for(
    start_lab: Callable[..., Lab], tmp_path: Path, new_database: Path
) -> None:
    certificates = authority(tmp_path / "certificates")
    pem = certificates.issue("jupyter", alternative="IP:127.0.0.1,DNS:lab.example.org")
    lab = start_lab(
        config=f"{SERVER}c.ServerApp.certfile = {str(pem)!r}",
        authority=certificates.certificate,
        env=PROXY,
        database=new_database,
    )
    assert lab.url.startswith("https://")
    run_id = log_as_a_kernel(lab)
    assert lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok


@pytest.fixture(scope="module")
def password_lab(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Lab]:
    """A Jupyter server with a password in place of a token, on a machine with a proxy."""
    hashed = passwd("the-password")
    home = tmp_path_factory.mktemp("password")
    config = f"""{SERVER}
c.PasswordIdentityProvider.hashed_password = {hashed!r}
c.MLflowProxy.idle_timeout = 3
"""
    with lab_server(
        home,
        root=home / 'it\'s "My%20Project"? {x}',
        config=config,
        token="",
        base_url="/@j%C3%B6rg/my%20ws/",
        env={**PROXY, "no_proxy": "example.org", "NO_PROXY": "example.org"},
        database=new_database,
    ) as lab:
        lab.log_in("the-password")
        yield lab


@pytest.mark.release
def test_a_password_in_place_of_a_token_and_a_proxy_with_exceptions(password_lab: Lab) -> None:
    run_id = log_as_a_kernel(password_lab)
    assert password_lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok
    artifact = {"run_id": run_id, "path": "95%_ci.txt"}
    assert password_lab.get("/get-artifact", params=artifact).text == "hello"
    files = [each.name for each in password_lab.root.iterdir()]
    assert sorted(files) == ["mlartifacts", "mlflow.db"]
    assert [each.name for each in password_lab.root.parent.glob("it*")] == [password_lab.root.name]


@pytest.mark.release
def test_a_request_of_a_kernel_is_use_and_wakes_mlflow(password_lab: Lab) -> None:
    password_lab.wait_until("ready")
    password_lab.wait_until("idle")
    status = f"{password_lab.url}/api/status"
    before = password_lab.session.get(status, timeout=30).json()["last_activity"]
    run_id = log_as_a_kernel(password_lab)
    after = password_lab.session.get(status, timeout=30).json()["last_activity"]
    assert after > before
    assert password_lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").ok


def test_no_request_is_lost_while_mlflow_is_stopped_and_started(
    start_lab: Callable[..., Lab], new_database: Path
) -> None:
    lab = start_lab(config=f"{SERVER}c.MLflowProxy.idle_timeout = 0.4", database=new_database)
    variables = lab.kernel_variables()
    search = f"{variables['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/runs/create"
    pauses, answers = random.Random(1), []
    with requests.Session() as client:
        client.headers["Authorization"] = f"Bearer {variables['MLFLOW_TRACKING_TOKEN']}"

        def stops() -> int:
            log = lab.mlflow_log
            return log.read_text().count("s without use") if log.exists() else 0

        deadline = time.monotonic() + 120
        while stops() < 4:
            assert time.monotonic() < deadline
            answers.append(client.post(search, json={"experiment_id": "0"}, timeout=60))
            time.sleep(pauses.choice([0, 0.01, 0.39, 0.4, 0.41, 0.5]))
    assert {answer.status_code for answer in answers} == {200}
    found = lab.api("runs/search", {"experiment_ids": ["0"], "max_results": 50_000})["runs"]
    assert len(found) == len(answers)
