"""Kernels that ask MLflow's server: of other languages, of other environments, of an old store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest
import requests

from support.environments import add_python, add_r
from support.lab import PAGE, TOKEN, Lab, lab_server
from support.listener import listener
from support.processes import family_of

# MLflow's clients by their requirement; none of them can open the database.
PYTHONS = {
    "skinny": "mlflow-skinny",
    "skinny-3.10": "mlflow-skinny==3.10.0",
    "skinny-2.22": "mlflow-skinny==2.22.0",
}
# As the client for R sends its requests: every value is a string, and none is repeated.
R = """
library(httr)
call <- function(path, body) {
  answer <- POST(
    paste0(Sys.getenv("MLFLOW_TRACKING_URI"), "/api/2.0/mlflow/", path),
    timeout(60),
    add_headers(
      Authorization = paste("Bearer", Sys.getenv("MLFLOW_TRACKING_TOKEN")),
      `User-Agent` = "mlflow-r-client/3.0"),
    body = body, encode = "json")
  if (answer$status_code != 200) stop(content(answer, "text", encoding = "UTF-8"))
  content(answer, "parsed", type = "application/json")
}
run <- call("runs/create", list(experiment_id = "0", run_name = "from R"))$run$info
call("runs/log-metric", list(run_id = run$run_id, key = "speed", value = "42", timestamp = "1"))
cat(run$artifact_uri, run$run_id)
"""
PYTHON = """
import importlib.util, mlflow
assert not importlib.util.find_spec("sqlalchemy") and not importlib.util.find_spec("mlflow_proxy")
mlflow.set_experiment("of {name}")
with mlflow.start_run() as run:
    mlflow.log_param("depth", 3)
    mlflow.log_metric("speed", 42)
    mlflow.log_text("hello", "hello.txt")
uri = run.info.artifact_uri
assert uri.startswith("mlflow-artifacts:/"), uri
print(mlflow.artifacts.load_text(uri + "/hello.txt"), run.info.run_id)
"""
SEND = """
import mlflow
try:
    mlflow.MlflowClient().log_text("{run_id}", "hello", "hello.txt")
except Exception as error:
    print(error)
"""
SEND_TO = """
import mlflow
mlflow.MlflowClient("{url}").search_experiments()
"""
LOG_EVERYTHING = """
import mlflow
def one(model_input: list[float]) -> list[float]:
    return [1 for each in model_input]
mlflow.set_experiment("portable")
with mlflow.start_run():
    mlflow.log_text("x", "x.txt")
    mlflow.pyfunc.log_model(
        name="one", python_model=one, pip_requirements=["mlflow"], registered_model_name="portable"
    )
mlflow.trace(lambda: 1)()
mlflow.flush_trace_async_logging()
assert mlflow.pyfunc.load_model("models:/portable/1").predict([2.0]) == [1]
"""


@pytest.fixture(scope="module")
def server_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Lab whose kernels ask MLflow's server, which is not started."""
    home = tmp_path_factory.mktemp("kernels")
    add_r(home)
    for name, requirement in PYTHONS.items():
        add_python(home, name, requirement)
    variables = {"JUPYTER_PATH": str(home)}
    config = "c.MLflowProxy.kernels = 'server'\nc.MLflowProxy.prestart = 'kernel'"
    with lab_server(home, config=config, env=variables) as lab:
        yield lab


@pytest.fixture(scope="module")
def address(server_lab: Lab) -> tuple[str, str]:
    """The address of MLflow for kernels, and its credential."""
    variables = server_lab.kernel_variables()
    return variables["MLFLOW_TRACKING_URI"], variables["MLFLOW_TRACKING_TOKEN"]


def metric_of(lab: Lab, run_id: str) -> float:
    """The metric `speed` of a run, as the dashboard's API shows it."""
    found = lab.get(f"/api/2.0/mlflow/runs/get?run_id={run_id}").json()
    return {each["key"]: each["value"] for each in found["run"]["data"]["metrics"]}["speed"]


def revision_of(lab: Lab) -> str:
    """The revision of the store's database."""
    with closing(sqlite3.connect(lab.root / "mlflow.db")) as database:
        return database.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def test_an_import_without_this_package_starts_nothing(server_lab: Lab) -> None:
    server_lab.run_in_kernel("import mlflow", kernel="skinny")
    assert not server_lab.mlflow_processes()


def test_the_first_call_of_an_r_kernel_starts_mlflow_and_waits_for_it(server_lab: Lab) -> None:
    assert not server_lab.mlflow_processes()
    uri, run_id = server_lab.run_in_kernel(R, kernel="ir").split()[-2:]
    assert uri == f"mlflow-artifacts:/0/{run_id}/artifacts"
    assert metric_of(server_lab, run_id) == 42


@pytest.mark.parametrize("name", PYTHONS)
def test_another_mlflow_logs_and_reads_without_the_database(server_lab: Lab, name: str) -> None:
    server_lab.wait_until("ready")
    revision = revision_of(server_lab)
    printed = server_lab.run_in_kernel(PYTHON.format(name=name), kernel=name).split()
    assert printed[-2] == "hello"
    assert metric_of(server_lab, printed[-1]) == 42
    assert revision_of(server_lab) == revision


def test_another_mlflow_is_sent_to_no_other_host(server_lab: Lab) -> None:
    with listener() as elsewhere:
        experiment = server_lab.api("experiments/create", {"name": "elsewhere"})["experiment_id"]
        with closing(sqlite3.connect(server_lab.root / "mlflow.db")) as database, database:
            sql = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?"
            database.execute(sql, (f"{elsewhere.url}/a", experiment))
        body = {"experiment_id": experiment, "start_time": 1}
        run_id = server_lab.api("runs/create", body)["run"]["info"]["run_id"]
        printed = server_lab.run_in_kernel(SEND.format(run_id=run_id), kernel="skinny")
        assert "refused-by-jupyter-mlflow-proxy" in printed
        assert elsewhere.take() == []
        # What it would send otherwise.
        server_lab.run_in_kernel(SEND_TO.format(url=elsewhere.url), kernel="skinny")
        assert {sent[:7] for _, sent in elsewhere.take()} == {"Bearer "}


def test_locations_name_no_folder_of_this_machine(server_lab: Lab) -> None:
    server_lab.run_in_kernel(LOG_EVERYTHING)
    with closing(sqlite3.connect(server_lab.root / "mlflow.db")) as database:
        dump = "\n".join(database.iterdump())
    assert "mlflow-artifacts:/" in dump
    assert f"{server_lab.root}/mlartifacts" not in dump
    assert [*(server_lab.root / "mlartifacts").rglob("x.txt")]


def test_the_credential_opens_mlflow_and_nothing_else(
    server_lab: Lab, address: tuple[str, str]
) -> None:
    url, credential = address
    search, body = "/api/2.0/mlflow/experiments/search", {"max_results": 1}
    with requests.Session() as client:
        client.trust_env = False

        def status(to: str, **options: object) -> int:
            return client.post(
                to, json=body, timeout=60, allow_redirects=False, **options
            ).status_code

        bearer = {"Authorization": f"Bearer {credential}"}
        assert status(url + search, headers=bearer) == 200
        assert status(url + search, auth=("anyone", credential)) == 200
        for wrong in (
            "",
            "Bearer ",
            f"Bearer {credential[:-1]}",
            f"Bearer {TOKEN}",
            "Basic x",
            f"token {credential}",
            f"Bearer {credential}é",
        ):
            headers = {"Authorization": wrong.encode()} if wrong else {}
            assert status(url + search, headers=headers) == 401, wrong
        assert status(f"{url}{search}?token={credential}") == 401
        # Jupyter itself does not know it.
        for path in ("/api/kernels", "/api/contents", "/mlflow" + search):
            assert status(server_lab.url + path, headers=bearer) in (403, 302)
            query = {"token": credential}
            answer = client.get(
                server_lab.url + path, params=query, timeout=60, allow_redirects=False
            )
            assert answer.status_code in (403, 302)
        # The address has nothing else of Jupyter: these are paths that MLflow does not have.
        root = url.removesuffix("/mlflow")
        for path in ("/api/kernels", "/", "/mlflow2/", "/proxy/80/", "/mlflow/../api/kernels"):
            assert status(root + path, headers=bearer) in (404, 405)


def test_a_link_that_mlflows_client_printed_leads_to_jupyter(
    server_lab: Lab, address: tuple[str, str]
) -> None:
    answer = requests.get(f"{address[0]}/", headers=PAGE, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{server_lab.mlflow_url}/")


def test_the_address_listens_on_loopback_only(server_lab: Lab, address: tuple[str, str]) -> None:
    port = int(address[0].split(":")[2].split("/")[0])
    jupyter = psutil.Process(server_lab.process.pid)
    listening = [each.laddr for each in jupyter.net_connections() if each.status == "LISTEN"]
    assert [each.ip for each in listening if each.port == port] == ["127.0.0.1"]


def test_the_credential_is_in_no_argument_log_or_page(
    server_lab: Lab, address: tuple[str, str]
) -> None:
    server_lab.wait_until("ready")
    requests.get(
        f"{address[0]}/api/wrong", headers={"Authorization": f"Bearer {address[1]}"}, timeout=30
    )
    requests.get(f"{address[0]}/?token={address[1]}", timeout=30)
    arguments = [each.cmdline() for each in family_of(server_lab.process.pid)]
    texts = [
        str(arguments),
        server_lab.log.read_text(),
        server_lab.mlflow_log.read_text(),
        server_lab.get("/", headers=PAGE).text,
        str(server_lab.status()),
        server_lab.session.get(f"{server_lab.url}/server-proxy/servers-info", timeout=30).text,
    ]
    found = [line for text in texts for line in text.splitlines() if address[1] in line]
    assert found == []


def test_a_large_artifact_and_a_deletion_pass(server_lab: Lab) -> None:
    code = """
import mlflow, os
from pathlib import Path
Path("large.bin").write_bytes(os.urandom(50 << 20))
with mlflow.start_run() as run:
    mlflow.log_artifact("large.bin")
    mlflow.set_tag("wrong", "1")
got = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="large.bin")
assert Path(got).read_bytes() == Path("large.bin").read_bytes()
client = mlflow.MlflowClient()
client.create_registered_model("short-lived")
client.delete_registered_model("short-lived")
print("passed")
"""
    assert server_lab.run_in_kernel(code).split()[-1] == "passed"
