"""The credential for the user's own address goes there and nowhere else."""

from __future__ import annotations

import http.client
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.auth import _basic_auth_str

from mlflow_proxy.addresses import AUTH_PROVIDER, GUARDED, LOCAL_CREDENTIAL, LOCAL_URL, PROGRAM
from mlflow_proxy.notebook.credential import OwnAddress
from support.environments import python_of
from support.judged_store import INVOKE
from support.kernel import Printed, kernel
from support.lab import TOKEN, Lab, lab_server
from support.listener import Listener, listener

ASSISTANT = "/ajax-api/3.0/mlflow/assistant/config"
STARTING = (
    ASSISTANT,
    INVOKE,
    "/ajax-api/3.0/jobs",
    "/ajax-api/3.0/mlflow/issues/invoke",
    "/ajax-api/3.0/mlflow/genai/evaluate/invoke",
    "/ajax-api/3.0/mlflow/prompt-optimization/jobs",
)
ATTEMPT = """
try:
    {code}
except Exception as error:
    print(type(error).__name__)
"""
AS_BEFORE = """
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["MLFLOW_PROXY_LOCAL_CREDENTIAL"]
del os.environ["MLFLOW_TRACKING_AUTH"]
"""
GUARD = "from mlflow_proxy.notebook import credential; credential.guard()"
CHILD = """
import subprocess, sys
code = "import mlflow; print(len(mlflow.search_experiments()) > 0)"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
"""
SPAWNED = """
import multiprocessing
from mlflow_in_child import count
with multiprocessing.get_context("spawn").Pool(1) as pool: print(pool.apply(count) > 0)
"""

JOB = """
import subprocess, sys
from pathlib import Path
from mlflow_proxy.server.middleware.self_calls import OwnAddress
python, folder, *urls = sys.argv[1:]
OwnAddress(urls[0], "secret").export("", Path(folder))
ask = "import mlflow, sys\\nfor url in sys.argv[1:]: mlflow.MlflowClient(url).search_experiments()"
subprocess.run([python, "-c", ask, *urls], check=True)
"""

Run = Callable[..., list[Printed]]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Listener]:
    """Another host."""
    with listener() as made:
        yield made


@pytest.fixture(scope="module")
def server_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Jupyter server whose kernels ask MLflow's server."""
    home = tmp_path_factory.mktemp("credential")
    config = "c.MLflowProxy.kernels = 'server'"
    with lab_server(home, config=config, program="server") as server:
        server.wait_until("ready")
        (server.root / "mlflow_in_child.py").write_text(
            "import mlflow\ndef count(): return len(mlflow.search_experiments())\n"
        )
        yield server


@pytest.fixture(scope="module")
def run(server_lab: Lab) -> Iterator[Run]:
    """A function that runs cells in one kernel, which has imported MLflow."""
    with kernel(server_lab.url, TOKEN, "credential.ipynb") as run_cells:
        run_cells("import mlflow, os, requests\nmlflow.set_experiment('own')")
        yield run_cells


@pytest.fixture(scope="module")
def shared(server_lab: Lab, elsewhere: Listener) -> dict[str, str]:
    """Runs of experiments whose artifacts a colleague has put on another host, by scheme."""
    made = {}
    for scheme in ("http", "mlflow-artifacts"):
        name = {"name": f"of a colleague, {scheme}"}
        experiment = server_lab.api("experiments/create", name)["experiment_id"]
        location = f"{scheme}://{elsewhere.authority}/a"
        with closing(sqlite3.connect(server_lab.root / "mlflow.db")) as database, database:
            sql = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?"
            database.execute(sql, (location, experiment))
        body = {"experiment_id": experiment, "start_time": 1}
        made[scheme] = server_lab.api("runs/create", body)["run"]["info"]["run_id"]
    return made


@pytest.fixture(scope="module")
def credential(server_lab: Lab) -> tuple[str, dict[str, str]]:
    """The address for kernels, and the header that a client without this package sends."""
    variables = server_lab.kernel_variables()
    headers = {"Authorization": f"Bearer {variables['MLFLOW_TRACKING_TOKEN']}"}
    return variables["MLFLOW_TRACKING_URI"], headers


def attempts(elsewhere: Listener, shared: dict[str, str]) -> list[str]:
    """Code that has MLflow's client ask another host."""
    artifacts = f"{elsewhere.url}/api/2.0/mlflow-artifacts/artifacts"
    log = "mlflow.MlflowClient().log_text({run_id!r}, '', 'a')"
    return [
        f"mlflow.MlflowClient({elsewhere.url!r}).get_run('1')",
        *(log.format(run_id=run_id) for run_id in shared.values()),
        f"mlflow.artifacts.load_text('{artifacts}/a.txt')",
        f"mlflow.pyfunc.load_model('{artifacts}/model')",
    ]


def test_no_other_host_gets_the_credential(
    run: Run, elsewhere: Listener, shared: dict[str, str]
) -> None:
    (before,) = run("print(os.environ['MLFLOW_PROXY_LOCAL_CREDENTIAL'])")
    held = before.stdout.strip()
    for code in attempts(elsewhere, shared):
        run(ATTEMPT.format(code=code))
        asked = elsewhere.take()
        assert asked, code
        assert {sent for _, sent in asked} == {""}, code

        run(AS_BEFORE + ATTEMPT.format(code=code), GUARD)
        assert f"Bearer {held}" in {sent for _, sent in elsewhere.take()}, code


@pytest.mark.parametrize("is_installed", [True, False])
def test_jobs_send_it_to_no_other_host(
    elsewhere: Listener, tmp_path: Path, is_installed: bool
) -> None:
    """Jobs inherit what the MLflow process exports, also where this package is not installed."""
    python = sys.executable if is_installed else str(python_of("mlflow-skinny"))
    with listener() as own:
        command = [sys.executable, "-c", JOB, python, str(tmp_path), own.url, elsewhere.url]
        subprocess.run(command, check=True)
        assert {sent for _, sent in own.take()} == {"Bearer secret"}
    asked = elsewhere.take()
    assert asked
    assert {sent for _, sent in asked} == {""}


def test_a_proxy_that_a_cell_names_is_not_asked(run: Run, elsewhere: Listener) -> None:
    names = "('http_proxy', 'HTTP_PROXY', 'all_proxy')"
    named = f"os.environ.update(dict.fromkeys({names}, {elsewhere.url!r}))"
    (found,) = run(f"{named}\nprint(len(mlflow.search_experiments()) > 0)")
    assert found.stdout.split() == ["True"]
    assert elsewhere.take() == []

    excepted = "os.environ.pop('no_proxy'), os.environ.pop('NO_PROXY')"
    run(f"kept = {excepted}\n" + ATTEMPT.format(code="mlflow.search_experiments()"))
    assert elsewhere.take()
    run(
        "os.environ['no_proxy'], os.environ['NO_PROXY'] = kept\n"
        f"for name in {names}: del os.environ[name]"
    )


def test_programs_that_a_kernel_starts_use_the_address(run: Run) -> None:
    assert [each.stdout.split() for each in run(CHILD, SPAWNED)] == [["True"], ["True"]]


def test_a_notebooks_own_token_is_kept_for_its_own_server(run: Run, elsewhere: Listener) -> None:
    of_another = ATTEMPT.format(code=f"mlflow.MlflowClient({elsewhere.url!r}).get_run('1')")
    (own,) = run(
        f"os.environ['MLFLOW_TRACKING_TOKEN'] = 'of another'\n{of_another}\n"
        "print(len(mlflow.search_experiments()) > 0)\n"
        "del os.environ['MLFLOW_TRACKING_TOKEN']"
    )
    assert {sent for _, sent in elsewhere.take()} == {"Bearer of another"}
    assert own.stdout.split()[-1] == "True"


def test_a_client_without_the_package_gets_no_location_of_another_host(
    server_lab: Lab,
    credential: tuple[str, dict[str, str]],
    elsewhere: Listener,
    shared: dict[str, str],
) -> None:
    url, headers = credential

    def location(run_id: str, **more: str) -> Any:
        path = f"{url}/api/2.0/mlflow/runs/get?run_id={run_id}"
        answer = requests.get(path, headers={**headers, **more}, timeout=60)
        return answer.json()["run"]["info"]["artifact_uri"]

    for scheme, run_id in shared.items():
        assert location(run_id).startswith("refused-by-jupyter-mlflow-proxy:")
        assert location(run_id, **{PROGRAM: GUARDED}).startswith(f"{scheme}://")
    found = requests.post(
        f"{url}/api/2.0/mlflow/experiments/search", json={"max_results": 9}, headers=headers
    ).json()["experiments"]
    locations = {each["name"]: each["artifact_location"] for each in found}
    assert locations["Default"].startswith("mlflow-artifacts:/")
    assert locations["of a colleague, http"].startswith("refused-by")
    # The dashboard shows them as they are.
    shown = server_lab.get(f"/ajax-api/2.0/mlflow/runs/get?run_id={shared['http']}").json()
    assert shown["run"]["info"]["artifact_uri"].startswith(elsewhere.url)


def test_the_credential_does_not_open_what_starts_programs(
    server_lab: Lab, credential: tuple[str, dict[str, str]]
) -> None:
    url, headers = credential
    own_page = {**headers, "X-Mlflow-Proxy-May-Execute": "true"}
    asked = requests.get(f"{url}{ASSISTANT}", headers=own_page, timeout=60)
    assert (asked.status_code, asked.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert server_lab.get(ASSISTANT).ok
    refused = requests.post(f"{url}{INVOKE}", json={}, headers=headers, timeout=60)
    assert refused.status_code == 403
    assert server_lab.post(INVOKE, json={}).status_code != 403


@pytest.mark.parametrize(
    "write",
    [
        lambda path: f"/{path}",
        lambda path: f"///{path}",
        lambda path: path.replace("/3.0/", "//3.0/"),
        lambda path: path.replace("/3.0/", "%2f3.0%2F"),
        lambda path: path.replace("api/", "%61pi/"),
        lambda path: path.replace("/3.0/", "/x/../3.0/"),
        lambda path: path.replace("/3.0/", "/%2e/3.0/"),
        lambda path: path.replace("ajax-api", "AJAX-API"),
        lambda path: f"{path}/",
        lambda path: f"{path}%2f",
        lambda path: f"{path}%0a",
        lambda path: f"{path}?x=1",
        lambda path: f"/static-files/..{path}",
        lambda path: f"/mlflow/{path}",
    ],
)
def test_no_spelling_of_an_address_opens_it(
    server_lab: Lab, credential: tuple[str, dict[str, str]], write: Callable[[str], str]
) -> None:
    url, headers = credential
    address = urlsplit(url)
    override = {"X-HTTP-Method-Override": "POST", "X-Original-URL": INVOKE, "X-Rewrite-URL": INVOKE}
    assert address.port
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)

    def status(method: str, path: str, **more: str) -> int:
        sent = {**headers, "Content-Type": "application/json", **more}
        connection.request(method, path, b"{}", sent)
        with connection.getresponse() as answer:
            answer.read()
            return answer.status

    with closing(connection):
        for path in STARTING:
            for prefix in ("", address.path):
                for method, more in (("POST", {}), ("PUT", {}), ("GET", override)):
                    found = status(method, prefix + write(path), **more)
                    # A redirect leads to the one spelling.
                    assert found in (307, 308, 403, 404, 405), (method, prefix, path)
        assert status("POST", "/api/2.0/mlflow/experiments/create", **override) == 400  # no name
    assert server_lab.post("/ajax-api/3.0/jobs", json={}).status_code != 403


def test_a_redirect_takes_no_credential_along(
    elsewhere: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listener() as own:
        monkeypatch.setenv(LOCAL_URL, f"{own.url}/mlflow")
        monkeypatch.setenv(LOCAL_CREDENTIAL, "secret")
        own.redirects_to = f"{elsewhere.url}/there"
        requests.get(f"{own.url}/mlflow/api", auth=OwnAddress(), timeout=10)
        assert own.take() == [("/mlflow/api", "Bearer secret")]
        assert elsewhere.take() == [("/there", "")]
        for url in (
            f"http://localhost:{own.server.server_port}/",
            f"{elsewhere.url}/@{own.authority}",
        ):
            requests.get(url, auth=OwnAddress(), timeout=10, allow_redirects=False)
        assert {sent for _, sent in [*own.take(), *elsewhere.take()]} == {""}


def test_other_hosts_get_what_their_address_or_a_file_says(
    elsewhere: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password own\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv(LOCAL_URL, "http://127.0.0.1:1/mlflow")
    requests.get(elsewhere.url, auth=OwnAddress(), timeout=10)
    in_address = f"http://user:password@{elsewhere.authority}"
    requests.get(in_address, auth=OwnAddress(), timeout=10)
    sent = [sent for _, sent in elsewhere.take()]
    assert sent == [_basic_auth_str("me", "own"), _basic_auth_str("user", "password")]


def test_mlflow_finds_the_provider(run: Run) -> None:
    (found,) = run(
        "from mlflow.tracking.request_auth.registry import fetch_auth\n"
        "print(type(fetch_auth(os.environ['MLFLOW_TRACKING_AUTH'])).__name__)"
    )
    assert found.stdout.split() == ["OwnAddress"]
    assert OwnAddress().get_name() == AUTH_PROVIDER
