"""MLflow's output in the log and on the page; the log is bounded, private and cleaned up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from mlflow_proxy.log import LINE_LENGTH, OLD, PAGE_LINES, MLflowOutput, end_of_log, remove_old_logs


def test_output_is_split_into_lines() -> None:
    output = MLflowOutput()
    for piece in (b"on", b"e\ntwo\nthr", "ée".encode()[:1], b"x" * 2 * LINE_LENGTH, b"\nlast", b""):
        output.write(piece)
    lines = list(output.lines)
    assert lines[:2] == ["one", "two"]
    assert len(lines[2]) == LINE_LENGTH
    assert lines[-1] == "last"


def test_only_the_last_lines_are_kept_for_the_page() -> None:
    output = MLflowOutput()
    output.write(b"".join(b"%d\n" % number for number in range(1000)))
    assert list(output.lines) == [str(number) for number in range(1000 - PAGE_LINES, 1000)]


def test_log_is_bounded_and_private(tmp_path: Path) -> None:
    log = tmp_path / "mlflow-proxy-1.log"
    code = f"""
import logging, os, pathlib
os.umask(0)
from mlflow_proxy.log import set_up_logging
output = set_up_logging(pathlib.Path({str(log)!r}), logging.getLogger())
for _ in range(4000):
    output.write(b"x" * 1000 + b"\\n")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    files = list(tmp_path.iterdir())
    assert sum(file.stat().st_size for file in files) < 2.1 * 2**20
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_unwritable_log_is_reported_and_skipped() -> None:
    code = """
import logging, pathlib
from mlflow_proxy.log import set_up_logging
logging.basicConfig(format="Jupyter's: %(message)s")
set_up_logging(pathlib.Path("/dev/null/mlflow.log"), logging.getLogger()).write(b"a line\\n")
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert result.stderr.startswith("Jupyter's: MLflow: Cannot write MLflow's log: ")
    assert "a line" not in result.stderr


def test_all_of_it_goes_to_jupyters_log_where_that_is_wanted(tmp_path: Path) -> None:
    code = """
import logging, pathlib, sys
from mlflow_proxy.log import set_up_logging
logging.basicConfig(format="Jupyter's: %(message)s", level=logging.INFO)
path = pathlib.Path(sys.argv[1])
set_up_logging(path, logging.getLogger(), all_to=len(sys.argv) > 2).write(b"db://me:hunter2@h\\n")
"""
    for more, told in (([], ""), (["all"], "Jupyter's: MLflow: db://me:***@h\n")):
        command = [sys.executable, "-c", code, str(tmp_path / "mlflow.log"), *more]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        assert result.stderr == told


def test_the_end_of_the_log_is_read_across_a_rotation_and_begins_with_a_whole_line(
    tmp_path: Path,
) -> None:
    log = tmp_path / "mlflow-proxy-1.log"
    assert end_of_log(log, 100) == b""
    log.write_text("fünf\nsix\n")
    assert end_of_log(log, 100) == log.read_bytes()
    log.with_name(f"{log.name}.1").write_text("one\ntwo\n")
    assert end_of_log(log, 100) == "one\ntwo\nfünf\nsix\n".encode()
    assert end_of_log(log, 15) == "two\nfünf\nsix\n".encode()
    assert end_of_log(log, 8) == b"six\n"


def test_old_logs_of_ended_processes_are_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    removed = [f"mlflow-proxy-{dead.pid}.log.1"]
    # Kept: recent logs (the process may run on another machine), logs of running processes, and
    # other files.
    young = [f"mlflow-proxy-{dead.pid}.log"]
    running, rotated = f"mlflow-proxy-{os.getpid()}.log", f"mlflow-proxy-{dead.pid}.log.2"
    old = [running, rotated, "mlflow-proxy.json", "other.log"]
    for name in removed + young + old:
        (tmp_path / name).touch()
        age = OLD - 60 if name in young else OLD + 60
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    remove_old_logs(tmp_path / "mlflow-proxy-1.log")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(young + old)
