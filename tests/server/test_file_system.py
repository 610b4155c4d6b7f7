"""The probe of a file system leaves nothing, and removes what killed ones have left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlflow_proxy.server.store import file_system
from mlflow_proxy.server.store.file_system import OLD, PREFIX, folder_of, probe
from support.waiting import wait_for

KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from mlflow_proxy.server.store import file_system
file_system._write_database = lambda path: os.kill(os.getpid(), signal.SIGKILL)
file_system.probe(Path(sys.argv[1]))
"""


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_folder_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    probe(tmp_path)
    assert names(tmp_path) == ["mlflow.db"]


def test_what_a_killed_probe_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    for name in (".mlflow-archived", ".mlflow-abcd1234"):  # others'
        (tmp_path / name).mkdir()
        (tmp_path / name / "mlflow.db").touch()
    others = names(tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    (left,) = tmp_path.glob(f"{PREFIX}*")
    probe(tmp_path)
    assert left.exists()  # another program may be probing
    for path in (left, *(tmp_path / name for name in others)):
        os.utime(path, (time.time() - OLD - 1,) * 2)
    probe(tmp_path)
    assert names(tmp_path) == others


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
    monkeypatch.setattr(file_system, "_write_database", lambda _: time.sleep(0.5))
    with pytest.raises(file_system.NoLocksError, match=r"no answer within 0\.2 s"):
        probe(tmp_path)
    wait_for(lambda: not names(tmp_path))


def test_the_folder_of_a_link_is_that_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link.db").symlink_to("target/mlflow.db")
    assert folder_of(tmp_path / "link.db") == tmp_path / "target"
    assert folder_of(tmp_path / "none" / "mlflow.db") == tmp_path / "none"
