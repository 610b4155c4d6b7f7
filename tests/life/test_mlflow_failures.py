"""Failed starts of the real MLflow; each is fixed without a restart of Jupyter."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.store.tracking.file_store import FileStore

from mlflow_proxy.server.failures import explain
from support.databases import LATEST, NEWER, OLDER, make_database, run
from support.hostile_files import HOSTILE
from support.postgres import Postgres, postgres_server
from support.remedies import command_in, follow
from support.server import JSON, PAGE, Server, mlflow_of
from support.waiting import wait_for

NOT_STORES = {
    "The file of {} is not a SQLite database.": lambda path: path.write_bytes(
        b"not a database" * 99
    ),
    'The database {} is not as MLflow makes it: "mlflow.db is not a regular file".': HOSTILE[
        "named pipe"
    ],
    'The database {} is not as MLflow makes it: "experiments is not a plain table".': HOSTILE[
        "endless view"
    ],
}
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
        jupyter.stop()
        before = Path(copy).read_bytes()
        path.write_text("what a failed upgrade may leave")
        follow(status["remedy"])
        assert path.read_bytes() == before


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


def test_what_is_no_store_of_mlflows_is_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    NOT_STORES["The file of {} is not a SQLite database."](path)
    with mlflow_of(tmp_path) as jupyter:
        for reason, make in NOT_STORES.items():
            if not path.exists():
                make(path)
                jupyter.try_again()
            status = failure(jupyter)
            assert status["reason"] == reason.format(path)
            assert re.match("Move (it|the file) away", status["remedy"])
            path.rename(tmp_path / f"away {len(reason)}")
        jupyter.try_again()
        jupyter.wait_until("ready")


def test_a_database_is_opened_once_the_program_that_locks_it_is_done(
    tmp_path: Path, new_database: Path
) -> None:
    path = put(tmp_path, new_database.read_bytes())
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with mlflow_of(tmp_path) as jupyter:
            status = failure(jupyter)
            assert status["reason"] == f"Another program keeps the database {path} locked."
            assert status["remedy"].startswith("Wait until that program is done, or end it")
            other.rollback()
            jupyter.try_again()
            jupyter.wait_until("ready")


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs SQLite's program")
def test_what_a_command_saves_of_a_damaged_database_is_opened(
    tmp_path: Path, new_database: Path
) -> None:
    path = put(tmp_path, new_database.read_bytes())
    with closing(sqlite3.connect(path)) as database:
        size = database.execute("PRAGMA page_size").fetchone()[0]
        root = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'experiments'"
        ).fetchone()[0]
    damaged = bytearray(path.read_bytes())
    damaged[(root - 1) * size] = 0xFF  # no kind of page
    put(tmp_path, bytes(damaged))
    with mlflow_of(tmp_path) as jupyter:
        told = failure(jupyter)
        assert "is damaged" in told["reason"]
        follow(told["remedy"])
        saved = Path(f"{path}.saved")
        with closing(sqlite3.connect(saved)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        saved.replace(path)
        jupyter.try_again()
        jupyter.wait_until("ready")
    assert revision_of(path) == LATEST


def file_store(folder: Path) -> None:
    """Make a file store in `folder`, as MLflow does when it starts."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its age
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        FileStore(str(folder / "mlruns"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
def test_a_disk_can_be_written_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    path, large = disk / "mlflow.db", disk / "large"
    store = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{path}"}
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    subprocess.run(mount, check=True)
    try:
        large.write_bytes(bytes(7_900_000))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OSError, match="Read-only file system") as caught:
            file_store(disk)
        told = explain(caught.value, str(disk)).failure
        assert told.reason == f"The store {disk} cannot be written to."
        assert told.remedy.startswith("Grant this user write access. Or choose another place with ")
        with mlflow_of(tmp_path, **store) as jupyter:
            status = failure(jupyter)
            reason = f"MLflow cannot keep its database {path}: Read-only file system."
            assert status["reason"] == reason
            assert status["remedy"].startswith("Make the folder writable. Or ")
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            jupyter.try_again()
            status = failure(jupyter)
            assert status["reason"] == f"The disk of {path} is full."
            assert status["remedy"] == "Free some space, then try again."
            large.unlink()
            file_store(disk)
            jupyter.try_again()
            jupyter.wait_until("ready")
            assert path.stat().st_size > 0
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_file_store_is_migrated_by_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "my runs"
    folder.mkdir()
    store = (folder / "mlruns").as_uri()
    run(LOG_RUN, store, MLFLOW_ALLOW_FILE_STORE="true")
    with mlflow_of(folder, MLFLOW_BACKEND_STORE_URI=store) as jupyter:
        status = failure(jupyter)
        assert "refuses file stores" in status["reason"]
        assert not (folder / "mlflow.db").exists()
        command = follow(status["remedy"])
        assert f"--target=sqlite:///{folder}/mlflow.db" in command
    with mlflow_of(folder) as jupyter:
        jupyter.wait_until("ready")
        search = json.dumps({"experiment_ids": ["0"]})
        _, _, body = jupyter.request("/api/2.0/mlflow/runs/search", "POST", JSON, search)
        assert [each["info"]["run_name"] for each in json.loads(body)["runs"]] == ["of old"]


def test_a_database_server_is_used_once_the_store_is_corrected(
    tmp_path: Path, postgres: Postgres
) -> None:
    postgres.query("postgres", "CREATE ROLE at SUPERUSER LOGIN PASSWORD 'hunter2@at'")
    unclear = f"postgresql+psycopg://at:hunter2@at@127.0.0.1:{postgres.port}/team"
    uri = postgres.uri("team")
    wrong = {
        "cannot be read: write %40 for an at sign in a password": unclear,
        "cannot be reached.": uri.replace(f":{postgres.port}/", ":1/"),
        "refuses the user or the password of": postgres.uri("team", "hunter2-wrong"),
    }
    for reason, wrong_uri in wrong.items():
        with mlflow_of(tmp_path, MLFLOW_BACKEND_STORE_URI=wrong_uri) as jupyter:
            status = failure(jupyter)
            assert reason in status["reason"]
            which = "c.MLflowProxy.backend_store_uri, or the variable that it comes from"
            assert which in status["remedy"]
    clear = unclear.replace("hunter2@", "hunter2%40")
    with mlflow_of(tmp_path, MLFLOW_BACKEND_STORE_URI=clear) as jupyter:
        status = failure(jupyter)
        assert status["reason"].startswith("The database does not exist: ")
        assert status["remedy"].startswith("Create it (createdb, CREATE DATABASE), or ")
        postgres.run("createdb", "team")
        jupyter.try_again()
        jupyter.wait_until("ready")


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
        command = command_in(told["remedy"])
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
