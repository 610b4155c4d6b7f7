"""`mlflow.db` is deleted, replaced or restored while the dashboard is up: seconds, nothing lost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from mlflow_proxy.addresses import CONTROL_START
from support.databases import OLDER, make_database, run
from support.lab import PAGE, TOKEN, Lab, lab_server
from support.waiting import wait_for

LOG = Path(__file__).parents[1] / "resources" / "log_over_replacements.py"
SECONDS = 60.0  # a start of MLflow on a busy machine
MAKE = """
import sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
SqlAlchemyStore(*sys.argv[1:]).engine.dispose()
"""
SEARCH = {"experiment_ids": ["0"], "max_results": 100}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs."""
    path = tmp_path_factory.mktemp("other") / "mlflow.db"
    run(MAKE, f"sqlite:///{path}", str(path.with_name("mlartifacts")))
    return path


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, other: Path) -> Iterator[Lab]:
    """A Lab below a base URL, with MLflow ready; each test replaces its store or has its run."""
    home = tmp_path_factory.mktemp("lab")
    with lab_server(home, base_url="/a/base", database=other) as server:
        server.wait_until("ready")
        yield server


def create(lab: Lab, name: str) -> None:
    """Make a run."""
    lab.api("runs/create", {"experiment_id": "0", "run_name": name, "start_time": 1})


def names(lab: Lab) -> list[str]:
    """The names of the runs, the newest first."""
    runs = lab.api("runs/search", SEARCH).get("runs", [])
    return [run["info"]["run_name"] for run in runs]


def replace(lab: Lab, other: Path) -> Path:
    """Put a copy of `other` in the place of the store, as `mv` does."""
    store = lab.root / "mlflow.db"
    shutil.copyfile(other, new := store.with_name("new.db"))
    new.rename(store)
    return store


def delete(lab: Lab, _: Path) -> None:
    (lab.root / "mlflow.db").unlink()


def move_away(lab: Lab, _: Path) -> None:
    (lab.root / "mlflow.db").rename(lab.root / "old.db")


def test_the_first_request_is_answered_by_the_new_store(lab: Lab, other: Path) -> None:
    for change in (replace, delete, move_away):
        first, name = lab.mlflow, f"after {change.__name__}"
        change(lab, other)
        body = {"experiment_id": "0", "run_name": name, "start_time": 1}
        began = time.monotonic()
        answer = lab.post("/api/2.0/mlflow/runs/create", json=body)
        assert time.monotonic() - began < SECONDS
        assert (answer.status_code, answer.history) == (200, [])
        assert names(lab) == [name]
        psutil.wait_procs([first], timeout=SECONDS)
        assert not first.is_running()
    assert "Traceback" not in lab.mlflow_log.read_text()


def test_a_page_load_shows_the_start(lab: Lab, other: Path) -> None:
    replace(lab, other)
    page = lab.get("/?x=1#/experiments/0", headers=PAGE)
    assert '<body data-state="starting"' in page.text
    assert page.url == f"{lab.mlflow_url}/?x=1#/experiments/0"
    lab.wait_until("ready")
    assert names(lab) == []


def test_an_upload_reaches_the_new_store(lab: Lab, other: Path, tmp_path: Path) -> None:
    address = "/api/2.0/mlflow-artifacts/artifacts/0/a%20b/%C3%A4"
    file = tmp_path / "file"
    for size in (10, 5 << 20, 60 << 20):
        file.write_bytes(b"%09d\n" % size * (size // 10))
        replace(lab, other)
        with file.open("rb") as body:
            answer = lab.session.put(f"{lab.mlflow_url}{address}", data=body, timeout=60)
        assert (answer.status_code, answer.history) == (200, [])
        stored = lab.root / "mlartifacts" / "0" / "a b" / "ä"
        assert stored.read_bytes() == file.read_bytes()


def test_all_requests_at_once_reach_the_new_store(lab: Lab, other: Path) -> None:
    replace(lab, other)
    expected = {f"run {number}" for number in range(12)}

    threads = [threading.Thread(target=create, args=(lab, name)) for name in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(names(lab)) == expected


def test_mlflows_client_logs_on(lab: Lab, other: Path) -> None:
    with client(lab) as log:
        log("first")
        assert names(lab)[0] == "first"
        delete(lab, other)
        run_id = log("second")
        assert names(lab) == ["second"]
        note = lab.get("/get-artifact", params={"path": "folder/note.txt", "run_id": run_id})
        assert note.text == "second\n" * 1000
        replace(lab, other)
        log("third")
        assert names(lab) == ["third"]


def test_a_root_folder_that_was_moved_away_comes_back(lab: Lab, tmp_path: Path) -> None:
    create(lab, "of old")
    mlflow, away = lab.mlflow, tmp_path / "away"
    lab.root.rename(away)
    lab.post("/api/2.0/mlflow/runs/search", json=SEARCH)  # whatever MLflow answers
    assert not lab.root.exists()
    away.rename(lab.root)
    create(lab, "of new")
    assert {"of new", "of old"} <= {*names(lab)}
    assert lab.mlflow == mlflow


def test_a_deleted_root_folder_that_is_made_anew_has_a_new_store(lab: Lab) -> None:
    shutil.rmtree(lab.root)
    lab.root.mkdir()
    body = {"json": SEARCH}
    wait_for(lambda: lab.post("/api/2.0/mlflow/runs/search", **body).status_code == 200, 60)
    assert names(lab) == []


def test_an_older_database_is_not_upgraded_without_consent(
    lab: Lab, other: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older.db"
    make_database(f"sqlite:///{older}", OLDER)
    store = replace(lab, older)
    before = store.read_bytes()
    answer = lab.post("/api/2.0/mlflow/runs/search", json=SEARCH)
    assert (answer.status_code, "made by an older MLflow" in answer.json()["message"]) == (
        503,
        True,
    )
    offer = lab.status()["offer"]
    assert (offer["repair"], str(store) in str(offer)) == ("upgrade", True)
    assert store.read_bytes() == before
    # As the other tests find it.
    replace(lab, other)
    lab.post(CONTROL_START, json={}).raise_for_status()
    lab.wait_until("ready")


def test_a_file_that_keeps_changing_causes_no_loop(lab: Lab, other: Path) -> None:
    enough, path = threading.Event(), "/api/2.0/mlflow/runs/search"
    before, requests = len(lab.mlflow_log.read_text()), 1

    def keep_replacing() -> None:
        while not enough.wait(0.3):
            replace(lab, other)

    thread = threading.Thread(target=keep_replacing)
    thread.start()
    try:
        began = time.monotonic()
        while time.monotonic() - began < 10:
            requests += 1
            answer = lab.session.post(f"{lab.mlflow_url}{path}", json=SEARCH, timeout=120)
            assert answer.status_code in (200, 503)
    finally:
        enough.set()
        thread.join()
    assert lab.post(path, json=SEARCH).status_code == 200
    assert names(lab) == []
    starts = re.findall(
        r"Started MLflow \(pid \d+\): replaced", lab.mlflow_log.read_text()[before:]
    )
    assert 2 <= len(starts) <= requests


@contextmanager
def client(lab: Lab) -> Iterator[Callable[[str], str]]:
    """MLflow's client; yields a function that logs a run of a name and returns its id."""
    env = {
        "MLFLOW_TRACKING_URI": lab.mlflow_url,
        "MLFLOW_TRACKING_TOKEN": TOKEN,
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }
    with subprocess.Popen(
        [sys.executable, str(LOG)],
        env={**lab.env, **env},
        cwd=lab.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout

        def log(name: str) -> str:
            print(name, file=process.stdin, flush=True)
            run_id = process.stdout.readline().strip()
            assert run_id, f"the client could not log {name}"
            return run_id

        yield log
        process.stdin.close()
