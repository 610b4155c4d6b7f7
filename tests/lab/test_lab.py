"""MLflow in a real JupyterLab: installation, access, static files and settings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import files, version
from pathlib import Path

import pytest
import requests

from support.lab import PAGE, TOKEN, Lab, lab_server
from support.processes import BIN, family_of
from support.waiting import wait_for

pytestmark = pytest.mark.release
StartLab = Callable[..., Lab]
CREATE = "/ajax-api/2.0/mlflow/experiments/create"
SEARCH = "/ajax-api/2.0/mlflow/experiments/search?max_results=10"


def test_the_extension_is_enabled_by_the_installation() -> None:
    command = [str(BIN / "jupyter"), "server", "extension", "list"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = result.stdout + result.stderr
    assert "mlflow_proxy" in lines
    assert f"mlflow_proxy {version('jupyter-mlflow-proxy')}" in lines
    assert "X" not in [
        word for line in lines.splitlines() if "mlflow_proxy" in line for word in line.split()
    ]


def test_all_installed_files_are_recorded_for_uninstalling() -> None:
    installed = {str(path) for path in files("jupyter-mlflow-proxy") or ()}
    names = {Path(path).name for path in installed}
    assert {"mlflow.svg", "page.html", "page.css", "page.js", "py.typed"} <= names
    assert any(
        p.endswith("etc/jupyter/jupyter_server_config.d/mlflow_proxy.json") for p in installed
    )
    assert not any("tests" in Path(path).parts for path in installed)


def test_the_launcher_tile_has_an_icon(lab: Lab) -> None:
    information = lab.session.get(f"{lab.url}/server-proxy/servers-info").json()
    (server,) = (s for s in information["server_processes"] if s["name"] == "mlflow")
    assert server["launcher_entry"]["title"] == "MLflow"
    assert server["new_browser_tab"] is True
    icon = lab.session.get(lab.url + server["launcher_entry"]["icon_url"])
    assert icon.headers["Content-Type"] == "image/svg+xml"
    assert icon.text.startswith("<svg")


def test_a_url_without_the_trailing_slash_redirects(lab: Lab) -> None:
    answer = lab.get("", headers=PAGE)
    assert answer.url == f"{lab.mlflow_url}/"
    assert "<title>MLflow</title>" in answer.text


def test_mlflow_runs_as_one_process_and_opens_no_port(lab: Lab) -> None:
    processes = family_of(lab.mlflow.pid)
    assert len(processes) == 1
    assert not [c for p in processes for c in p.net_connections("inet") if c.status == "LISTEN"]


def test_a_request_without_jupyters_token_is_refused(lab: Lab) -> None:
    for path in ("/", SEARCH, "/_proxy/status", "/static-files/manifest.json"):
        answer = requests.get(f"{lab.mlflow_url}{path}", allow_redirects=False, timeout=30)
        assert answer.status_code in (302, 403)
        assert "mlflow" not in answer.text.lower().replace("/mlflow/", "")


def test_a_page_of_the_same_origin_may_write(lab: Lab) -> None:
    answer = lab.post(CREATE, json={"name": "own"}, headers={"Origin": lab.url})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1.evil.example"],
)
@pytest.mark.parametrize("path", [CREATE, "/graphql", "/v1/traces"])
def test_a_page_of_another_origin_may_not_write(lab: Lab, path: str, origin: str) -> None:
    answer = lab.post(path, json={"name": "foreign"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.text == "Cross-origin request blocked"


def test_a_page_of_another_origin_may_not_read(lab: Lab) -> None:
    for origin in ("http://localhost:1", "https://evil.example"):
        answer = lab.get(SEARCH, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.fixture(scope="module")
def odd_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Jupyter server below a base URL, on a folder with an odd name, behind a proxy."""
    home = tmp_path_factory.mktemp("odd")
    with lab_server(
        home,
        root=home / "with space, 100 % {braces} ünd €",
        base_url="/some/base/",
        config="c.ServerApp.allow_remote_access = True",
    ) as server:
        yield server


def test_static_files_are_the_same_before_and_after_the_start(odd_lab: Lab) -> None:
    lab = odd_lab
    lab.stop()
    lab.start()
    wait_for(lambda: lab.status()["dashboard"])
    page = lab.get("/_proxy_dashboard").text
    entry = "/" + page.split('src="')[1].split('"')[0]
    before = lab.get(entry)
    assert lab.status()["state"] == "starting"
    lab.wait_until("ready")
    assert lab.mlflow_script == entry
    after = lab.get(entry)
    assert before.content == after.content
    same = ("Cache-Control", "Content-Type", "Content-Encoding", "Content-Length", "Vary")
    for name in same:
        assert before.headers[name] == after.headers[name]
    assert before.headers["Content-Encoding"] == "gzip"
    assert before.headers["Cache-Control"] == "public, max-age=2419200"


def test_any_root_folder_works(odd_lab: Lab) -> None:
    odd_lab.wait_until("ready")
    assert (odd_lab.root / "mlflow.db").stat().st_size > 0


def test_a_public_host_is_served_below_a_base_url(odd_lab: Lab) -> None:
    # As behind a proxy that terminates TLS: HTTP here, HTTPS in the browser.
    lab = odd_lab
    lab.wait_until("ready")
    assert "/some/base/mlflow" in lab.mlflow_url
    headers = {"Host": "lab.example.org", "X-Forwarded-Proto": "https"}
    assert lab.get(SEARCH, headers=headers).status_code == 200
    own = {**headers, "Origin": "https://lab.example.org"}
    assert lab.post(CREATE, json={"name": "a"}, headers=own).status_code == 200
    foreign = {**own, "Host": "lab.example.org.evil.example"}
    assert lab.post(CREATE, json={"name": "b"}, headers=foreign).status_code == 403


def test_mlflows_client_waits_for_the_start(odd_lab: Lab, tmp_path: Path) -> None:
    lab = odd_lab
    lab.stop()
    code = "import mlflow; print(mlflow.create_experiment('patient'))"
    env = {"MLFLOW_TRACKING_URI": lab.mlflow_url, "MLFLOW_TRACKING_TOKEN": TOKEN}
    client = subprocess.run(
        [sys.executable, "-c", code],
        env={**lab.env, **env},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert client.returncode == 0, client.stderr
    found = lab.api("experiments/search", {"max_results": 5})["experiments"]
    assert "patient" in [each["name"] for each in found]


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_static_files_are_compressed_as_the_client_accepts(lab: Lab, coding: str) -> None:
    entry, headers = lab.mlflow_script, {"Accept-Encoding": coding}
    answer = lab.get(entry, headers=headers)
    plain = lab.get(entry, headers={"Accept-Encoding": "identity"})
    assert answer.headers.get("Content-Encoding", "identity") == coding
    length, whole = int(answer.headers["Content-Length"]), int(plain.headers["Content-Length"])
    assert length < whole / 3 or coding == "identity"
    assert answer.content == plain.content
    fresh = lab.get(entry, headers={**headers, "If-None-Match": answer.headers["ETag"]})
    assert (fresh.status_code, fresh.content) == (304, b"")


def test_api_responses_are_not_compressed(lab: Lab) -> None:
    assert "Content-Encoding" not in lab.get(SEARCH).headers
    assert lab.get("/static-files/no-such-file.js").status_code == 404


def test_a_server_of_the_same_name_in_jupyters_configuration_is_used(start_lab: StartLab) -> None:
    server = {"command": [sys.executable, "-m", "http.server", "{port}"], "timeout": 30}
    lab = start_lab(config=f'c.ServerProxy.servers = {{"mlflow": {server!r}}}', program="lab")
    assert "Directory listing" in lab.get().text
    log = lab.log.read_text()
    assert log.count("c.ServerProxy.servers has an entry 'mlflow'") == 1
    assert "its log will be" not in log
    assert not {name for name in lab.kernel_variables() if name.startswith("MLFLOW_PROXY_")}
    page = lab.session.get(f"{lab.url}/lab", timeout=30).text
    config = json.loads(page.split('type="application/json">')[1].split("<")[0])
    assert "jupyter-mlflow-proxy" in config["disabledExtensions"]
