"""A store on a file system that SQLite cannot use is explained in seconds, and nothing is left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.databases import LATEST, make_database
from support.file_systems import AVAILABLE, mounted
from support.server import Server, mlflow_of
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs FUSE and root")
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=9"


def store(folder: Path) -> dict[str, str]:
    return {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db"}


def failure(jupyter: Server, seconds: float) -> str:
    """Wait for the failure; returns its reason and remedy."""
    began = time.monotonic()
    status = jupyter.wait_until("failed")
    assert time.monotonic() - began < seconds
    message = f"{status['reason']} {status['remedy']}"
    assert json.loads(jupyter.request(SEARCH)[2])["message"] == message
    return message


def check_remedies(message: str, folder: Path) -> None:
    assert f"The file system of {folder} cannot lock files (" in message
    assert "c.MLflowProxy.backend_store_uri" in message
    assert "sqlite:////local/disk/mlflow.db" in message
    assert "postgresql://" in message


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EIO"])
def test_refused_locks_are_explained(tmp_path: Path, error: str) -> None:
    with (
        mounted(tmp_path, error) as mount,
        mlflow_of(tmp_path, **store(mount.folder)) as jupyter,
    ):
        check_remedies(failure(jupyter, 8), mount.folder)
        assert names(mount.content) == []


def test_refused_locks_are_explained_for_an_existing_database(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    path = tmp_path / "content" / "mlflow.db"
    make_database(f"sqlite:///{path}", LATEST)
    before = path.read_bytes()
    with (
        mounted(tmp_path, "ENOLCK") as mount,
        mlflow_of(tmp_path, **store(mount.folder)) as jupyter,
    ):
        check_remedies(failure(jupyter, 8), mount.folder)
        assert names(mount.content) == ["mlflow.db"]
    assert path.read_bytes() == before


def test_a_database_behind_a_link_is_probed_where_it_is(tmp_path: Path) -> None:
    with mounted(tmp_path, "ENOLCK") as mount:
        (tmp_path / "mlflow.db").symlink_to(mount.folder / "mlflow.db")
        with mlflow_of(tmp_path, **store(tmp_path)) as jupyter:
            check_remedies(failure(jupyter, 8), mount.folder)


def test_a_lock_that_hangs_is_explained(tmp_path: Path) -> None:
    with (
        mounted(tmp_path, "hang") as mount,
        mlflow_of(tmp_path, **store(mount.folder)) as jupyter,
    ):
        try:
            check_remedies(failure(jupyter, 18), mount.folder)
            # What the file system itself keeps of an open file without a name.
            assert all(name.startswith(".fuse_hidden") for name in names(mount.content))
        finally:
            mount.abort()


def test_a_mended_file_system_is_used_by_the_next_request(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with mounted(tmp_path, "ENOLCK") as mount:
            jupyter = stack.enter_context(mlflow_of(tmp_path, **store(mount.folder)))
            failure(jupyter, 8)
        with mounted(tmp_path, "work") as mount:
            wait_for(lambda: jupyter.request(SEARCH)[0] == 200, 120)
            assert names(mount.content) == ["mlflow.db"]
            jupyter.stop()
            jupyter.wait_for_end()


def test_a_file_system_without_hard_links_is_used(tmp_path: Path) -> None:
    with (
        mounted(tmp_path, "work", "nolinks") as mount,
        mlflow_of(tmp_path, **store(mount.folder)) as jupyter,
    ):
        jupyter.wait_until("ready")
        assert jupyter.request(SEARCH)[0] == 200
        assert names(mount.content) == ["mlflow.db"]
        assert "atomically" in jupyter.log.read_text()


@pytest.mark.parametrize("exists", [True, False])
def test_a_read_only_file_system_is_explained(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "content").mkdir()
    if exists:
        make_database(f"sqlite:///{tmp_path}/content/mlflow.db", LATEST)
    with (
        mounted(tmp_path, "work", "readonly") as mount,
        mlflow_of(tmp_path, **store(mount.folder)) as jupyter,
    ):
        message = failure(jupyter, 8)
        assert f"cannot keep its database {mount.folder}/mlflow.db: Read-only file" in message
        assert names(mount.content) == (["mlflow.db"] if exists else [])


def names(folder: Path) -> Iterable[str]:
    """What is in `folder`."""
    return sorted(os.listdir(folder))
