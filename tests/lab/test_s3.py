"""A team's store: runs in PostgreSQL, artifacts in S3, credentials in Jupyter's environment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from support.browser import chromium
from support.dashboard import Dashboard, log_in
from support.lab import PAGE, TOKEN, Lab, lab_server
from support.postgres import postgres_server
from support.processes import command_of, processes_of
from support.s3 import BUCKET, KEY_ID, S3, SECRET, s3_server

DOWNLOAD = "[data-component-id$='components_artifactview.tsx_337']"  # its name is a tooltip's
LARGE = 200 << 20  # bytes
LOG = """
import json, mlflow, sys
def one(model_input: list[float]) -> list[float]:
    return [1 for each in model_input]
mlflow.set_experiment(sys.argv[1] if sys.argv[1:2] == ["server"] else "database")
with mlflow.start_run() as run:
    mlflow.log_text("hello from S3", "notes/hello.txt")
    mlflow.pyfunc.log_model(
        name="one", python_model=one, pip_requirements=["mlflow"], registered_model_name="one"
    )
    if "server" not in sys.argv:
        with open("large.bin", "wb") as file:
            file.truncate(200 << 20)
            file.write(b"start")
        mlflow.log_artifact("large.bin")
version = mlflow.MlflowClient().search_model_versions("name = 'one'")[0].version
model = mlflow.pyfunc.load_model(f"models:/one/{version}")
uri = run.info.artifact_uri
print(json.dumps({
    "run": run.info.run_id, "experiment": run.info.experiment_id, "uri": uri,
    "text": mlflow.artifacts.load_text(f"{uri}/notes/hello.txt"), "predicted": model.predict([2.0]),
}))
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def team_lab(tmp_path_factory: pytest.TempPathFactory, s3: S3) -> Iterator[Lab]:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        postgres.run("createdb", "team")
        variables = {
            **s3.variables,
            "MLFLOW_TRACKING_URI": postgres.uri("team"),
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"s3://{BUCKET}/mlflow",
        }
        home = tmp_path_factory.mktemp("team")
        lab = stack.enter_context(lab_server(home, env=variables))
        lab.wait_until("ready", 120)
        yield lab


@pytest.fixture(scope="module")
def logged(team_lab: Lab) -> dict[str, str]:
    """What a kernel that opens the database has logged."""
    return json.loads(team_lab.run_in_kernel(LOG).splitlines()[-1])


def test_kernels_keep_artifacts_and_models_in_the_bucket(
    team_lab: Lab, s3: S3, logged: dict[str, str]
) -> None:
    # As a kernel with `kernels = "server"`, which has the credentials as well.
    server = {"MLFLOW_TRACKING_URI": team_lab.mlflow_url, "MLFLOW_TRACKING_TOKEN": TOKEN}
    printed = subprocess.run(
        [sys.executable, "-c", LOG, "server"],
        env={**team_lab.env, **server},
        cwd=team_lab.home,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    for each in (logged, json.loads(printed.splitlines()[-1])):
        assert each["uri"].startswith(f"s3://{BUCKET}/mlflow/{each['experiment']}/{each['run']}")
        assert (each["text"], each["predicted"]) == ("hello from S3", [1])
        path = f"/ajax-api/2.0/mlflow/artifacts/list?run_id={each['run']}"
        assert "notes" in [file["path"] for file in team_lab.get(path).json()["files"]]
    assert s3.keys().count("notes/hello.txt") == 2
    assert not list(team_lab.home.rglob("mlartifacts"))


def test_a_large_artifact_is_downloaded(team_lab: Lab, logged: dict[str, str]) -> None:
    memory = psutil.Process(team_lab.process.pid).memory_info().rss
    path = f"/get-artifact?run_id={logged['run']}&path=large.bin"
    received, start = 0, b""
    with team_lab.session.get(f"{team_lab.mlflow_url}{path}", stream=True, timeout=120) as answer:
        for chunk in answer.iter_content(1 << 20):
            start, received = start or chunk[:5], received + len(chunk)
    assert (received, start) == (LARGE, b"start")
    assert psutil.Process(team_lab.process.pid).memory_info().rss - memory < LARGE / 4


def test_no_secret_is_shown_anywhere(team_lab: Lab, logged: dict[str, str]) -> None:
    run = f"run_id={logged['run']}"
    texts = {
        "page": team_lab.get("/", headers=PAGE).text,
        "status": team_lab.get("/_proxy/status").text,
        "runs": team_lab.get(f"/ajax-api/2.0/mlflow/runs/get?{run}").text,
        "artifacts": team_lab.get(f"/ajax-api/2.0/mlflow/artifacts/list?{run}").text,
        "missing": team_lab.get(f"/get-artifact?{run}&path=none.txt").text,
        "servers-info": team_lab.session.get(f"{team_lab.url}/server-proxy/servers-info").text,
        "Jupyter's log": team_lab.log.read_text(),
        "MLflow's log": team_lab.mlflow_log.read_text(),
        "arguments": "\n".join(" ".join(command_of(each)) for each in processes_of(team_lab.home)),
    }
    for where, text in texts.items():
        for secret in (SECRET, KEY_ID, "hunter2"):
            assert secret not in text, where
    # The known-good case: they are where they belong.
    assert team_lab.mlflow.environ()["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert "hunter2" in team_lab.mlflow.environ()["MLFLOW_BACKEND_STORE_URI"]


@pytest.mark.browser
def test_the_dashboard_shows_and_downloads_an_artifact(
    team_lab: Lab, logged: dict[str, str], tmp_path: Path
) -> None:
    with chromium() as browser:
        dashboard = Dashboard(log_in(browser, team_lab).new_page(), team_lab)
        run = f"experiments/{logged['experiment']}/runs/{logged['run']}"
        dashboard.open(f"{run}/artifacts/notes/hello.txt")
        expect(dashboard.page.get_by_text("hello from S3")).to_be_visible()
        with dashboard.page.expect_download() as download:
            dashboard.page.locator(DOWNLOAD).click()
        assert download.value.url.startswith("blob:")  # not the address of the bucket
        download.value.save_as(tmp_path / "saved")
        assert (tmp_path / "saved").read_text() == "hello from S3"
