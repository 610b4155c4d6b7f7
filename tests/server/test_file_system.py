"""The probe of a file system leaves nothing."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.store import file_system
from mlflow_proxy.server.store.file_system import probe
from mlflow_proxy.server.store.settings import check_folder_of
from support.waiting import wait_for


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_folder_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    probe(tmp_path)
    assert names(tmp_path) == ["mlflow.db"]


def test_probes_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mlflow_proxy.server.store import file_system\n"
    )
    code += "for _ in range(50): file_system.probe(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that not even root can write")
def test_a_folder_that_cannot_be_written_raises() -> None:
    with pytest.raises(OSError, match=r"\[Errno"):
        probe(Path("/sys"))


def test_a_probe_without_an_answer_raises_and_is_tidied_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_system, "TIMEOUT", 0.2)
    monkeypatch.setattr(fcntl, "lockf", lambda *_: time.sleep(0.5))
    with pytest.raises(file_system.NoLocksError, match=r"no answer within 0\.2 s"):
        probe(tmp_path)
    wait_for(lambda: not names(tmp_path))


def test_a_database_behind_a_link_is_probed_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("none/mlflow.db")
    with pytest.raises(StartError, match="cannot keep its database"):
        check_folder_of(tmp_path / "link.db")
    (tmp_path / "none").mkdir()
    check_folder_of(tmp_path / "link.db")
