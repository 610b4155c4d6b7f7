"""The tile shows a real `mlflow server` elsewhere, in JupyterLab."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from support.certificates import authority
from support.lab import PAGE, TOKEN, Lab, lab_server
from support.nginx import nginx_server
from support.processes import family_of, free_ports
from support.server import JSON, mlflow_of
from support.tracking_server import PASSWORD, USER, TrackingServer, oldest, tracking_server
from support.waiting import wait_for

StartLab = Callable[..., Lab]
NEWEST = Path(sys.executable)
MAX_MEMORY = 50_000_000  # bytes of the MLflow process
USERS = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
MB = 1_000_000
LOG_RUN = """
import mlflow
mlflow.set_experiment("of a kernel")
with mlflow.start_run(run_name="from a notebook") as run:
    mlflow.log_metric("accuracy", 0.9)
    mlflow.set_tag("odd", "ä")
    mlflow.log_text("ä plot", "plots/a b.txt")
print(run.info.run_id)
"""


@dataclass(frozen=True)
class Case:
    """A Lab and the tracking server that it shows."""

    lab: Lab
    server: TrackingServer
    options: dict[str, Any]
    client_uri: str
    """Where MLflow's clients find the server."""

    def straight(self, path: str) -> requests.Response:
        """Get `path` of the server without the Lab."""
        auth = (USER, PASSWORD) if self.options.get("with_users") else None
        return requests.get(f"{self.server.url}{path}", auth=auth, timeout=30)


CASES: dict[str, tuple[Callable[[], Path], dict[str, Any]]] = {
    f"{name}, {kind}": (python, options)
    for name, python in (("newest", lambda: NEWEST), ("oldest", oldest))
    for kind, options in (
        ("plain", {}),
        ("prefix", {"prefix": "/team/mlflow"}),
        ("users", {"with_users": True}),
    )
    if (name, kind) != ("newest", "plain")  # which tests/lab/test_remote_conformance.py has
}


@pytest.fixture(scope="module", params=CASES)
def case(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    find_python, options = CASES[request.param]
    python = find_python()
    home = tmp_path_factory.mktemp("remote")
    variables = USERS if options.get("with_users") else {}
    with tracking_server(home / "server", python=python, **options) as server:
        # MLflow 3.10 has its API at the root, whatever its --static-prefix.
        is_apart = python != NEWEST and "prefix" in options
        uri = f"http://127.0.0.1:{server.port}" if is_apart else server.url
        config = f"c.MLflowProxy.backend_store_uri = {server.url!r}" if is_apart else ""
        variables = {"MLFLOW_TRACKING_URI": uri, **variables}
        with lab_server(home / "lab", env=variables, config=config) as lab:
            lab.wait_until("ready")
            yield Case(lab, server, options, uri)


def test_a_kernel_the_tile_and_a_client_see_the_same_run(case: Case) -> None:
    run_id = case.lab.run_in_kernel(LOG_RUN).split()[-1]
    path = f"/ajax-api/2.0/mlflow/runs/get?run_id={run_id}"
    through_tile = case.lab.get(path).json()["run"]
    assert through_tile == case.straight(path).json()["run"]
    assert through_tile["info"]["run_name"] == "from a notebook"
    query = {"path": "plots/a b.txt", "run_id": run_id}
    artifact = case.lab.get("/get-artifact", params=query)
    assert artifact.content.decode() == "ä plot"
    assert artifact.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    body = {"run_id": run_id, "key": "odd"}
    assert case.lab.post("/ajax-api/2.0/mlflow/runs/delete-tag", json=body).status_code == 200
    tags = case.straight(path).json()["run"]["data"]["tags"]
    assert "odd" not in {tag["key"] for tag in tags}


def test_a_kernel_has_the_servers_address_and_the_tiles(case: Case) -> None:
    assert "is set to another store" not in case.lab.log.read_text()
    variables = case.lab.kernel_variables()
    assert variables["MLFLOW_TRACKING_URI"] == case.client_uri
    assert variables["MLFLOW_PROXY_STORE_URI"] == case.client_uri
    assert variables["MLFLOW_PROXY_DASHBOARD_URL"] == "/mlflow"
    assert "_MLFLOW_SERVER_ARTIFACT_ROOT" not in variables


def test_a_client_elsewhere_uses_the_tiles_address(case: Case) -> None:
    """Also where the server has its API at the root and its dashboard below a prefix."""
    found = case.lab.get("/api/2.0/mlflow/experiments/search?max_results=1")
    assert found.json()["experiments"]


def test_the_dashboard_is_the_servers(case: Case) -> None:
    page = case.lab.get("/", headers=PAGE)
    assert page.status_code == 200
    assert "'strict-dynamic'" in page.headers["Content-Security-Policy"]
    assert case.lab.mlflow_script.lstrip("/") in case.straight("/").text
    script = case.lab.get(case.lab.mlflow_script, headers={"Accept-Encoding": "gzip"}, stream=True)
    assert script.headers["Content-Encoding"] == "gzip"
    assert "max-age=2419200" in script.headers["Cache-Control"]
    assert script.content == case.straight(case.lab.mlflow_script).content
    trace_page = case.lab.get("/static-files/lib/notebook-trace-renderer/index.html")
    assert '<base href="../../../">' in trace_page.text


def test_a_write_of_the_dashboard_passes_and_a_foreign_one_does_not(case: Case) -> None:
    path, body = "/ajax-api/2.0/mlflow/experiments/create", {"name": f"by {id(case)}"}
    foreign = {"Origin": "https://evil.example"}
    assert case.lab.post(path, json=body, headers=foreign).status_code == 403
    own = {"Origin": case.lab.url}
    assert case.lab.post(path, json=body, headers=own).status_code == 200


@pytest.mark.parametrize("path", ["/ajax-api/2.0/mlflow-artifacts/artifacts/large.bin"])
def test_a_large_artifact_passes_both_ways(case: Case, path: str) -> None:
    # 100 MB with one server; an older one takes half a minute for them.
    is_large = "prefix" in case.options and case.client_uri == case.server.url
    content = bytes(range(256)) * (400_000 if is_large else 20_000)
    answer = case.lab.session.put(
        f"{case.lab.mlflow_url}{path}", data=io.BytesIO(content), timeout=60
    )
    assert answer.status_code == 200, answer.text
    assert case.lab.get(path).content == content
    part = case.lab.get(path, headers={"Range": "bytes=5-9"})
    expected = case.straight(path).content
    assert part.content in (content[5:10], expected)
    assert case.lab.session.delete(f"{case.lab.mlflow_url}{path}", timeout=30).ok


def test_the_process_is_small(case: Case) -> None:
    assert case.lab.mlflow.memory_full_info().pss <= MAX_MEMORY
    maps = Path(f"/proc/{case.lab.mlflow.pid}/maps").read_text()
    assert not re.search(r"/(pandas|numpy|sqlalchemy)/", maps)  # which MLflow would import


def test_nothing_of_jupyters_reaches_the_server_and_no_secret_is_logged(case: Case) -> None:
    logs = case.lab.log.read_text() + case.lab.mlflow_log.read_text()
    assert PASSWORD not in logs
    assert "Traceback" not in case.lab.mlflow_log.read_text()
    assert TOKEN not in (case.server.artifacts.parent / "server.log").read_text()


@pytest.mark.parametrize("case", ["newest, users"], indirect=True)
def test_a_permission_that_the_administrator_grants_is_enough(case: Case, tmp_path: Path) -> None:
    user = {"username": "reader", "password": "the-readers-password"}
    admin = {"auth": (USER, PASSWORD), "timeout": 30}
    users = f"{case.server.url}/api/{{}}/mlflow/users"
    assert requests.post(f"{users.format('2.0')}/create", json=user, **admin).ok
    credentials = {f"MLFLOW_TRACKING_{name.upper()}": value for name, value in user.items()}
    create = ("/ajax-api/2.0/mlflow/runs/create", "POST", JSON, '{"experiment_id": "0"}')
    store = {"MLFLOW_BACKEND_STORE_URI": case.server.url}
    with mlflow_of(tmp_path, **store, **credentials) as jupyter:
        jupyter.wait_until("ready")
        status, _, body = jupyter.request(*create)
        assert (status, body) == (403, "Permission denied")
        what = {"resource_type": "experiment", "resource_id": "0", "permission": "EDIT"}
        granted = {"username": "reader", **what}
        grant = f"{users.format('3.0')}/permissions/grant"
        assert requests.post(grant, json=granted, **admin).ok
        assert jupyter.request(*create)[0] == 200


# Settings of their own


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    """A tracking server of the newest release."""
    with tracking_server(tmp_path_factory.mktemp("plain")) as server:
        yield server


def test_a_server_behind_tls_with_a_clients_certificate(
    start_lab: StartLab, tmp_path: Path, plain_server: TrackingServer
) -> None:
    ca = authority(tmp_path / "ca")
    (port,) = free_ports(1)
    host = "proxy_set_header Host $http_host;"
    variables = {
        "MLFLOW_TRACKING_URI": f"https://localhost:{port}",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": str(ca.certificate),
    }
    with ExitStack() as stack:
        certificates = (ca.issue("localhost"), ca.certificate)
        upstream = f"http://127.0.0.1:{plain_server.port}"
        nginx = nginx_server(tmp_path / "nginx", upstream, host, port, certificates)
        stack.enter_context(nginx)
        http = {**variables, "MLFLOW_TRACKING_URI": f"http://localhost:{port}"}
        status = start_lab(tmp_path / "http", env=http).wait_until("failed")
        assert "plain HTTP request was sent to HTTPS port" in status["reason"]
        assert status["remedy"].startswith("Correct http:// or https:// in the server's address (")
        lab = start_lab(tmp_path / "without", env=variables)
        status = lab.wait_until("failed")
        assert "SSL certificate was sent" in status["reason"]
        assert "MLFLOW_TRACKING_CLIENT_CERT_PATH" in status["remedy"]

        own = {"MLFLOW_TRACKING_CLIENT_CERT_PATH": str(ca.issue("me"))}
        lab = start_lab(tmp_path / "with", env={**variables, **own})
        lab.wait_until("ready")
        run_id = lab.run_in_kernel(LOG_RUN).split()[-1]
        run = lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()["run"]
        assert run["info"]["run_name"] == "from a notebook"


@contextmanager
def named(home: Path, server: TrackingServer) -> Iterator[dict[str, str]]:
    """Variables for `server` by a name of which only the proxy knows."""
    (port,) = free_ports(1)
    host = "proxy_set_header Host $http_host;"
    with nginx_server(home, f"http://127.0.0.1:{server.port}", host, port) as origin:
        proxy = dict.fromkeys(("HTTP_PROXY", "http_proxy"), origin)
        none = dict.fromkeys(("NO_PROXY", "no_proxy"), "")
        yield {"MLFLOW_TRACKING_URI": "http://mlflow.example", **proxy, **none}


def test_a_server_is_shown_by_a_name_that_its_administrator_has_allowed(
    start_lab: StartLab, tmp_path: Path, plain_server: TrackingServer
) -> None:
    with named(tmp_path / "first", plain_server) as variables:
        status = start_lab(tmp_path / "refused", env=variables).wait_until("failed")
        unknown = "The MLflow server does not know that it is reached as mlflow.example."
        assert status["reason"] == unknown
    (options,) = re.findall(r"to start it with (--allowed-hosts \S+)\.$", status["remedy"])
    with (
        tracking_server(tmp_path / "allowed", *options.split()) as server,
        named(tmp_path / "second", server) as variables,
    ):
        start_lab(tmp_path / "shown", env=variables).wait_until("ready")


def test_a_server_that_is_killed_is_shown_again_once_it_is_back(
    start_lab: StartLab, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    search = "/api/2.0/mlflow/experiments/search?max_results=1"
    with ExitStack() as stack:
        server = stack.enter_context(tracking_server(tmp_path / "first", port=port))
        lab = start_lab(env={"MLFLOW_TRACKING_URI": server.url})
        lab.wait_until("ready")
        assert lab.get(search).status_code == 200
        for process in family_of(server.process.pid):
            process.kill()
        wait_for(lambda: refuses(port))
        answer = lab.get(search)
        assert answer.status_code == 502
        assert "refuses the connection" in answer.json()["message"]
        page = lab.get("/", headers=PAGE)
        assert page.status_code == 200
        assert "Try again" in page.text
        assert lab.status()["state"] == "ready"
        stack.enter_context(tracking_server(tmp_path / "second", port=port))
        assert lab.get(search).status_code == 200
        assert "Try again" not in lab.get("/", headers=PAGE).text


def refuses(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) != 0


def test_a_slow_server_delays_only_its_own_answers(
    start_lab: StartLab, plain_server: TrackingServer
) -> None:
    with ThreadPoolExecutor(1) as thread:
        lab = start_lab(env={"MLFLOW_TRACKING_URI": plain_server.url})
        lab.wait_until("ready")
        workers = [each for each in family_of(plain_server.process.pid) if not each.children()]
        for each in workers:
            each.suspend()
        try:
            answer = thread.submit(lab.get, "/api/2.0/mlflow/experiments/search?max_results=1")
            for _ in range(10):
                assert (
                    requests.get(
                        f"{lab.mlflow_url}/_proxy/status",
                        headers={"Authorization": f"token {TOKEN}"},
                        timeout=5,
                    ).json()["state"]
                    == "ready"
                )
            assert not answer.done()
        finally:
            for each in workers:
                with contextlib.suppress(psutil.Error):
                    each.resume()
        assert answer.result(30).status_code == 200


def test_it_is_stopped_when_idle_and_restarted_after_a_crash(
    start_lab: StartLab, plain_server: TrackingServer
) -> None:
    config = "c.MLflowProxy.idle_timeout = 2\nc.MLflowProxy.prestart = 'kernel'"
    lab = start_lab(env={"MLFLOW_TRACKING_URI": plain_server.url}, config=config)
    log = lab.mlflow_log
    lab.run_in_kernel("from mlflow_proxy.notebook import import_notice; import_notice.send()")
    wait_for(lambda: log.exists() and "MLflow is ready" in log.read_text(), 60)
    wait_for(lambda: lab.status()["state"] == "idle", 30)
    search = "/api/2.0/mlflow/experiments/search?max_results=1"
    assert lab.get(search).status_code == 200  # held while it starts
    lab.mlflow.kill()
    wait_for(lambda: lab.get(search).status_code == 200, 30)
    assert "ended unexpectedly" in log.read_text()
