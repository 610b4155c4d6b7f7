"""Failed starts of the real MLflow; each is fixed without a restart of Jupyter."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.databases import LATEST, NEWER, OLDER, make_database, run
from support.postgres import Postgres, postgres_server
from support.server import PAGE, Server, mlflow_of
from support.waiting import wait_for

LONG_AGO = 1_000_000_000  # old enough not to be still under creation
LOG_RUN = """
import mlflow, sys
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run(run_name="of old"):
    mlflow.log_metric("accuracy", 0.9)
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite database of an older MLflow."""
    path = tmp_path_factory.mktemp("older") / "mlflow.db"
    make_database(f"sqlite:///{path}", OLDER)
    return path.read_bytes()


def put(folder: Path, content: bytes) -> Path:
    path = folder / "mlflow.db"
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def failure(jupyter: Server) -> dict:
    """Wait for the failure, for less time than MLflow takes itself (up to 105 s).

    Checks page, API and log; returns the status.
    """
    status = jupyter.wait_until("failed")
    answer = json.loads(jupyter.request("/api/2.0/mlflow/experiments/search")[2])
    assert answer["message"] == f"{status['reason']} {status['remedy']}"
    assert status["reason"] in jupyter.log.read_text()
    page = jupyter.request("/", headers=PAGE)[2]
    assert "hunter2" not in page + jupyter.log.read_text() + json.dumps(status)
    return status


def test_older_database_is_upgraded_on_request(tmp_path: Path, older: bytes) -> None:
    path = put(tmp_path, older)
    with mlflow_of(tmp_path) as jupyter:
        status = failure(jupyter)
        assert f"made by an older MLflow (its revision is {OLDER}" in status["reason"]
        copy = Path(f"{path}.{OLDER}.bak")
        assert status["offer"]["repair"] == "upgrade"
        assert status["offer"]["subject"] == str(path)
        assert status["offer"]["copies"] == [str(copy)]
        assert path.read_bytes() == older

        assert jupyter.upgrade() == 202
        jupyter.wait_until("ready")
        log = jupyter.log.read_text()
    assert revision_of(path) == LATEST
    assert revision_of(copy) == OLDER
    assert f"kept at {copy}" in log
    assert f"Running upgrade {OLDER} -> " in log


def test_failed_upgrade_names_the_copy(tmp_path: Path, older: bytes) -> None:
    path = put(tmp_path, older)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE experiments")  # later migrations change it
        database.commit()
    os.utime(path, (LONG_AGO, LONG_AGO))
    with mlflow_of(tmp_path) as jupyter:
        copy = failure(jupyter)["offer"]["copies"][0]
        jupyter.upgrade()
        status = jupyter.wait_until("failed")
        assert status["reason"].startswith(f"The upgrade of {path} has failed: ")
        assert f"kept at {copy}" in status["remedy"]
        wait_for(lambda: "experiments" in jupyter.status()["lines"][-1])
    assert revision_of(Path(copy)) == OLDER


def test_newer_database_is_not_changed(tmp_path: Path, older: bytes) -> None:
    path = put(tmp_path, older)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (NEWER,))
        database.commit()
    os.utime(path, (LONG_AGO, LONG_AGO))
    before = path.read_bytes()
    with mlflow_of(tmp_path) as jupyter:
        status = failure(jupyter)
        assert f"(revision {NEWER}) is of a newer MLflow than this one" in status["reason"]
        assert status["remedy"] == f"Run:\n    {sys.executable} -m pip install --upgrade mlflow"
        assert status["offer"] is None
        assert jupyter.upgrade() == 409
    assert path.read_bytes() == before


def test_start_succeeds_after_a_file_that_is_no_database_is_removed(tmp_path: Path) -> None:
    path = put(tmp_path, b"not a database" * 100)
    with mlflow_of(tmp_path) as jupyter:
        reason = f"The file of {path} is not a SQLite database."
        assert failure(jupyter)["reason"] == reason
        path.unlink()
        jupyter.try_again()
        jupyter.wait_until("ready")


@pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")
@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs SQLite's program")
def test_a_damaged_database_is_recovered_by_the_command(tmp_path: Path, older: bytes) -> None:
    path = put(tmp_path, older)
    with closing(sqlite3.connect(path)) as database:
        size = database.execute("PRAGMA page_size").fetchone()[0]
        root = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'alembic_version'"
        ).fetchone()[0]
    damaged = bytearray(older)
    damaged[(root - 1) * size] = 0xFF  # no kind of page
    put(tmp_path, bytes(damaged))
    with mlflow_of(tmp_path) as jupyter:
        told = failure(jupyter)
        assert "is damaged" in told["reason"]
        command = told["remedy"].split("read of it:\n    ")[1].splitlines()[0]
        subprocess.run(command, shell=True, check=True, cwd="/")
        with closing(sqlite3.connect(f"{path}.saved")) as saved:
            assert saved.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert saved.execute("SELECT count(*) FROM experiments").fetchone()


def test_full_disk_is_reported_and_retried(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    # Each start has a file system of its own; it is full as long as `full` exists.
    fill = '[ ! -e "$0.full" ] || head -c 7900k /dev/zero >"$0/large"'
    script = f'mount -t tmpfs -o size=8m none "$0"; {fill}; exec "$@"'
    full = tmp_path / "disk.full"
    full.touch()
    launcher = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, str(disk))
    path = disk / "mlflow.db"
    store = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{path}"}
    with mlflow_of(tmp_path, *launcher, **store) as jupyter:
        assert failure(jupyter)["reason"] == f"The disk of {path} is full."
        full.unlink()
        jupyter.try_again()
        jupyter.wait_until("ready")
        seen = Path(f"/proc/{jupyter.child.pid}/root")
        assert seen.joinpath(*path.parts[1:]).stat().st_size > 0


def test_a_file_store_is_not_hidden_by_a_new_database(tmp_path: Path) -> None:
    folder = tmp_path / "my runs"
    folder.mkdir()
    run(LOG_RUN, (folder / "mlruns").as_uri(), MLFLOW_ALLOW_FILE_STORE="true")
    with mlflow_of(folder) as jupyter:
        status = failure(jupyter)
        assert f'former file store, "{folder}/mlruns"' in status["reason"]
        assert not (folder / "mlflow.db").exists()

        command = status["remedy"].split("try again:\n    ")[1].splitlines()[0]
        assert command.startswith(f"{sys.executable} -m mlflow migrate-filestore ")
        subprocess.run(command, shell=True, check=True, cwd="/")
        jupyter.try_again()
        jupyter.wait_until("ready")
        search = json.dumps({"experiment_ids": ["0"]})
        headers = {"Content-Type": "application/json"}
        _, _, body = jupyter.request("/api/2.0/mlflow/runs/search", "POST", headers, search)
        assert [run["info"]["run_name"] for run in json.loads(body)["runs"]] == ["of old"]


@pytest.mark.parametrize(
    ("database", "password", "reason"),
    [
        ("postgres", "hunter2-wrong", "The database refuses the user or the password of "),
        ("none", "", "The database does not exist: "),
    ],
)
def test_refusal_of_a_database_server_is_reported(
    tmp_path: Path, postgres: Postgres, database: str, password: str, reason: str
) -> None:
    uri = postgres.uri(database, password) if password else postgres.uri(database)
    with mlflow_of(tmp_path, MLFLOW_BACKEND_STORE_URI=uri) as jupyter:
        assert failure(jupyter)["reason"].startswith(reason)


def test_unreachable_database_server_is_reported(tmp_path: Path, postgres: Postgres) -> None:
    uri = postgres.uri("postgres").replace(f":{postgres.port}/", ":1/")
    with mlflow_of(tmp_path, MLFLOW_BACKEND_STORE_URI=uri) as jupyter:
        assert failure(jupyter)["reason"].endswith("cannot be reached.")


def test_missing_driver_is_named(tmp_path: Path) -> None:
    uri = "mssql+pymssql://me:hunter2@localhost/mlflow"
    with mlflow_of(tmp_path, MLFLOW_BACKEND_STORE_URI=uri) as jupyter:
        assert failure(jupyter)["remedy"].endswith("-m pip install pymssql")


def test_older_database_of_a_server_is_upgraded_by_the_command_for_its_administrator(
    tmp_path: Path, postgres: Postgres
) -> None:
    """Its offer, where the admin allows it, is tested with MariaDB in test_database_servers.py."""
    postgres.run("createdb", "older")
    make_database(postgres.uri("older"), OLDER)
    postgres.query("older", "INSERT INTO experiments (name) VALUES ('used')")
    with mlflow_of(tmp_path, MLFLOW_BACKEND_STORE_URI=postgres.uri("older")) as jupyter:
        told = failure(jupyter)
        assert told["offer"] is None
        assert jupyter.upgrade() == 409
        command = told["remedy"].split("administrator runs:\n    ")[1].splitlines()[0]
        assert "mlflow db upgrade" in command
        command = command.replace("***", "hunter2%2F%25")
        subprocess.run(command, shell=True, check=True, cwd="/", capture_output=True)
        jupyter.try_again()
        jupyter.wait_until("ready")
    revision = postgres.query("older", "SELECT version_num FROM alembic_version")
    assert revision == LATEST


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql//me:hunter2@127.0.0.1:1/db",
        "postgresql:/me:hunter2@127.0.0.1:1/db",
        "me:hunter2@127.0.0.1:1/db",
        "postgresql:me:hunter2@127.0.0.1",
        "postgresql://127.0.0.1:1/db?sslpassword=hunter2",
        "https://hunter2@tracking.example/",
        "postgresql://me:hunter2@127.0.0.1:port/db",
    ],
)
def test_a_misspelt_uri_shows_no_secret(tmp_path: Path, uri: str) -> None:
    with mlflow_of(tmp_path, MLFLOW_BACKEND_STORE_URI=uri) as jupyter:
        failure(jupyter)
        written = [path.read_text(errors="replace") for path in (jupyter.log, jupyter.lab.log)]
        assert all("MLflow cannot start" in text for text in written)
        assert "hunter2" not in "".join(written)
