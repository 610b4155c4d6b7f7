"""No two processes on one store hold the same lock, and none outlives its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlflow_proxy.server.store.locks import CREATION, Locks, alone
from mlflow_proxy.stores import Store
from support.mariadb import mariadb_cluster
from support.postgres import postgres_server
from support.waiting import wait_for

HOLD = Path(__file__).parents[1] / "resources" / "hold_locks.py"


@pytest.fixture(params=["sqlite", "postgresql", "mysql"], scope="module")
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store of each kind that is shared."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('a folder 100%')}/mlflow.db"
    elif request.param == "mysql":
        with mariadb_cluster() as mariadb, mariadb.running():
            yield mariadb.uri("team")
    else:
        with postgres_server() as postgres:
            postgres.run("createdb", "team")
            yield postgres.uri("team")


def locks_of(uri: str) -> Locks:
    """The locks of a process on the store `uri`."""
    return Locks(Store.parse(uri))


@contextmanager
def holder(uri: str, *keys: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Another process that holds those of `keys` that are free; it releases them at the end.

    A database server notices some time later that a process was killed.
    """
    command = [sys.executable, str(HOLD), uri, *keys]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())


def held_elsewhere(uri: str, *keys: str) -> list[str]:
    """Which of `keys` another process cannot acquire."""
    with holder(uri, *keys) as (_, free):
        return [key for key in keys if key not in free]


def test_a_lock_is_held_by_one_process(uri: str) -> None:
    locks = locks_of(uri)
    assert locks.acquire("one")
    assert not locks.acquire("one")
    assert locks.acquire("two")
    assert held_elsewhere(uri, "one", "two", "three") == ["one", "two"]
    locks.release("one")
    assert held_elsewhere(uri, "one", "two") == ["two"]
    assert locks.acquire("one")
    assert "one" in locks.held
    assert "three" not in locks.held
    locks.release_all()
    assert "one" not in locks.held
    assert held_elsewhere(uri, "one", "two") == []


def test_a_lock_ends_with_its_process(uri: str) -> None:
    locks = locks_of(uri)
    with holder(uri, "one") as (process, free):
        assert free == ["one"]
        assert not locks.acquire("one")
        assert locks.acquire("two")
        process.kill()
        wait_for(lambda: locks.acquire("one"))
    assert held_elsewhere(uri, "one", "two") == ["one", "two"]
    locks.release_all()


def test_the_creation_lock_is_waited_for(uri: str) -> None:
    stores = [Store.parse(uri)]

    def create() -> str:
        with alone(stores):
            return "created"

    with holder(uri, CREATION) as (process, _), ThreadPoolExecutor(1) as thread:
        created = thread.submit(create)
        with pytest.raises(futures.TimeoutError):
            created.result(0.7)
        assert process.stdin
        process.stdin.close()
        assert created.result(30)
    assert held_elsewhere(uri, CREATION) == []


def test_an_empty_file_is_all_that_is_beside_a_database(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    locks = locks_of(uri)
    assert not list(tmp_path.iterdir())
    assert locks.acquire("one")
    locks.release("one")
    (file,) = tmp_path.iterdir()
    assert (file.name, file.stat().st_size) == (".mlflow.db-jobs", 0)


def link_to(name: str) -> Callable[[Path], object]:
    """Make a link to this name."""
    return lambda path: path.symlink_to(name)


@pytest.mark.parametrize(
    "plant",
    [
        link_to("missing"),
        link_to("mlflow.db"),
        link_to("/dev/zero"),
        os.mkfifo,
        Path.mkdir,
        lambda path: path.hardlink_to(path.with_name("mlflow.db")),
    ],
)
def test_what_others_planted_is_no_lock_file(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    (tmp_path / "mlflow.db").write_text("valuable")
    plant(tmp_path / ".mlflow.db-jobs")
    before = sorted(tmp_path.iterdir())
    locks = locks_of(f"sqlite:///{tmp_path}/mlflow.db")
    assert locks.acquire("one")  # as if it were alone
    assert locks._opened is None
    locks.release_all()
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "mlflow.db").read_text() == "valuable"


def test_a_process_is_alone_where_locks_fail(tmp_path: Path) -> None:
    locks = locks_of(f"sqlite:///{tmp_path}/no folder/mlflow.db")
    assert locks.acquire("one")
    assert not locks.acquire("one")
    locks.release("one")
    assert locks.acquire("one")


def test_a_process_is_alone_on_a_store_without_locks() -> None:
    locks = locks_of("sqlite://")
    assert locks.acquire("one")
    assert "one" in locks.held
    assert not locks.acquire("one")
