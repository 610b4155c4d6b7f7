"""File permissions: data follow the user's umask; logs and caches are private."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.lab import Lab

StartLab = Callable[..., Lab]
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/of-the-dashboard"
LOG = """
import mlflow
mlflow.set_experiment("of a kernel")
with mlflow.start_run():
    mlflow.log_text("a", "a.txt")
"""


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path, kind: Callable[[Path], bool]) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) & 0o777 for path in folder.rglob("*") if kind(path)}


@pytest.mark.parametrize(
    ("mask", "file", "directory"), [(0o002, 0o664, 0o775), (0o077, 0o600, 0o700)]
)
def test_data_follow_the_umask(
    start_lab: StartLab, tmp_path: Path, mask: int, file: int, directory: int
) -> None:
    """A group's shared folder has the setgid bit; its users have umask 002."""
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o2775)
    with umask(mask):
        lab = start_lab(root=root)
    lab.wait_until("ready")
    lab.session.put(f"{lab.mlflow_url}{ARTIFACTS}/b.txt", data=b"b", timeout=30).raise_for_status()
    lab.get(lab.mlflow_script).raise_for_status()
    lab.run_in_kernel(LOG)
    assert modes(root / "mlartifacts", Path.is_file) == {file}
    assert modes(root / "mlartifacts", Path.is_dir) == {directory}
    assert stat.S_IMODE((root / "mlflow.db").stat().st_mode) == file
    if mask == 0o002:
        made = [root / "mlflow.db", *(root / "mlartifacts").rglob("*")]
        assert {path.stat().st_gid for path in made} == {root.stat().st_gid}
    assert stat.S_IMODE(lab.mlflow_log.stat().st_mode) == 0o600
    assert not (lab.home / ".cache" / "jupyter-mlflow-proxy").exists()  # nothing is cached on disk
