"""What docs/how-to/backup.md and upgrade.md tell an administrator to run, on real stores."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlencode

import pytest

from support.databases import LATEST
from support.postgres import PASSWORD, USER, postgres_server
from support.processes import environment
from support.recipes import follow, recipes
from support.s3 import s3_server
from support.server import Server, mlflow_of
from support.tracking_server import oldest
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Debian's servers")

JSON = {"Content-Type": "application/json"}
ARTIFACTS = "s3://team-bucket/mlflow"
REVISION = "SELECT version_num FROM alembic_version"
OLD_KERNEL = """
import mlflow, os
mlflow.set_experiment(experiment_name="of old")
with mlflow.start_run() as run:
    mlflow.log_text("of old", "note.txt")
with mlflow.start_run() as deleted:
    mlflow.log_text("not wanted", "note.txt")
mlflow.delete_run(deleted.info.run_id)
print(run.info.run_id, deleted.info.run_id)
"""
AFTER_THE_UPGRADE = """
import mlflow, os
try:
    mlflow.search_experiments()
except Exception as error:
    print(str(error).splitlines()[0])
mlflow.set_tracking_uri(os.environ["TILE"])
print(len(mlflow.search_runs(experiment_names=["of old"])))
"""


def call(jupyter: Server, path: str, **body: object) -> dict:
    """Call MLflow's API by POST, as the dashboard does."""
    answer = jupyter.request(f"/api/2.0/mlflow/{path}", "POST", JSON, json.dumps(body))
    assert answer[0] == 200, answer
    return json.loads(answer[2])


def get_run(jupyter: Server, run_id: str) -> dict:
    status, _, body = jupyter.request(f"/api/2.0/mlflow/runs/get?run_id={run_id}")
    assert status == 200, body
    return json.loads(body)["run"]


def until_told(jupyter: Server, text: str) -> dict:
    """Wait; a busy machine misses the seconds that a database has to answer in."""

    def told() -> dict | None:
        status = jupyter.status()
        if status["state"] == "failed" and "cannot be reached" in status["reason"]:
            jupyter.try_again()
        return status if text in status["text"] else None

    return wait_for(told, 120, f"not {text}: {jupyter.status()}")


@contextmanager
def logging_to(jupyter: Server) -> Iterator[None]:
    """Log runs all the time."""
    ended = Event()

    def log() -> None:
        while not ended.is_set():
            call(jupyter, "runs/create", experiment_id="0")

    thread = Thread(target=log)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_sqlite_store_is_backed_up_and_restored_in_use(tmp_path: Path) -> None:
    back_up, restore = recipes("how-to/backup.md", "SQLite, while it is in use")
    with mlflow_of(tmp_path) as jupyter:
        jupyter.wait_until("ready")
        run_id = call(jupyter, "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        below = get_run(jupyter, run_id)["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        note = tmp_path / "mlartifacts" / below / "note.txt"
        note.parent.mkdir(parents=True)
        note.write_text("of this run")
        with logging_to(jupyter):
            follow(back_up, tmp_path)
        with closing(sqlite3.connect(tmp_path / "backup" / "mlflow.db")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert copy.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()

        call(jupyter, "runs/delete", run_id=run_id)
        later = call(jupyter, "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        note.unlink()
        follow(restore, tmp_path)
        assert get_run(jupyter, run_id)["info"]["lifecycle_stage"] == "active"
        assert jupyter.request(f"/api/2.0/mlflow/runs/get?run_id={later}")[0] == 404
        query = urlencode({"run_uuid": run_id, "path": "note.txt"})
        assert jupyter.request(f"/get-artifact?{query}")[2] == "of this run"


def test_accounts_are_backed_up_in_use(tmp_path: Path) -> None:
    (back_up,) = recipes("how-to/backup.md", "Accounts of a team server")
    with closing(sqlite3.connect(tmp_path / "accounts.db")) as accounts:
        accounts.execute("CREATE TABLE users (username)")
        accounts.execute("INSERT INTO users VALUES ('alice')")
        accounts.commit()
        accounts.execute("INSERT INTO users VALUES ('of an open transaction')")
        follow(back_up, tmp_path)
    with closing(sqlite3.connect(tmp_path / "accounts-backup.db")) as copy:
        assert copy.execute("SELECT username FROM users").fetchall() == [("alice",)]


def test_a_team_upgrades_mlflow_cleans_up_and_goes_back(tmp_path: Path) -> None:
    """Two releases on PostgreSQL with a bucket."""
    back_up, restore = recipes("how-to/backup.md", "PostgreSQL and a bucket")
    (upgrade,) = recipes("how-to/upgrade.md", "In order")
    (clean_up,) = recipes("how-to/backup.md", "Retention")
    with postgres_server() as postgres, s3_server(tmp_path) as bucket:
        postgres.run("createdb", "team")
        database = f"postgresql://{USER}@127.0.0.1:{postgres.port}/team"
        store = database.replace("://", "+psycopg://")
        objects = bucket.keys
        secrets = {**bucket.variables, "PGPASSWORD": PASSWORD}
        known = {"DATABASE": database, "STORE": store, "ARTIFACTS": ARTIFACTS, **secrets}

        def old_kernel(code: str, **more: str) -> list[str]:
            variables = {"MLFLOW_TRACKING_URI": store, "_MLFLOW_SERVER_ARTIFACT_ROOT": ARTIFACTS}
            env = environment(tmp_path, {**variables, **secrets, **more})
            command = [str(oldest()), "-c", code]
            printed = subprocess.check_output(command, env=env, cwd=tmp_path, text=True)
            return printed.splitlines()

        run_id, deleted = old_kernel(OLD_KERNEL)[-1].split()
        before = postgres.query("team", REVISION)
        assert before != LATEST
        note = f"{run_id}/artifacts/note.txt"
        options = {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_DEFAULT_ARTIFACT_ROOT": ARTIFACTS}
        options |= {"MLFLOW_REGISTRY_STORE_URI": store, **secrets}
        with mlflow_of(tmp_path, **options) as jupyter:
            failed = until_told(jupyter, "made by an older MLflow")
            assert failed["offer"] is None
            assert f"-m mlflow db upgrade {store}" in failed["remedy"]
            assert jupyter.upgrade() == 409

            follow(back_up, tmp_path, **known)
            follow(upgrade, tmp_path, **known)
            assert postgres.query("team", REVISION) == LATEST
            jupyter.try_again()
            until_told(jupyter, "MLflow is running")
            query = urlencode({"run_uuid": run_id, "path": "note.txt"})
            assert jupyter.request(f"/get-artifact?{query}")[2] == "of old"
            told = old_kernel(
                AFTER_THE_UPGRADE,
                TILE=jupyter.lab.mlflow_url,
                MLFLOW_TRACKING_TOKEN=jupyter.headers()["Authorization"].split()[1],
            )
            assert "Can't locate revision" in told[0] or "out-of-date" in told[0]
            assert told[-1] == "1"

            assert deleted in objects()
            follow(clean_up.replace("30d", "0d"), tmp_path, **known)
            assert deleted not in objects()
            assert note in objects()
            assert postgres.query("team", "SELECT run_uuid FROM runs") == run_id
            jupyter.stop()
            jupyter.wait_for_end()

        follow(restore, tmp_path, **known)
        assert postgres.query("team", REVISION) == before
        assert deleted in objects()
        old_kernel(OLD_KERNEL)
        assert postgres.query("team", "SELECT count(*) FROM runs") == "4"
