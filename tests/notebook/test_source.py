"""The notebook of a kernel is known by its file, also after it was renamed."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlflow_proxy.notebook.source import NAME_FOR_MLFLOW, SavedNotebook, Source

HUB = "JUPYTERHUB_API_TOKEN"


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A saved notebook beside another one, not on a hub."""
    monkeypatch.delenv(HUB, raising=False)
    monkeypatch.delenv(NAME_FOR_MLFLOW, raising=False)
    path = tmp_path / "Untitled.ipynb"
    path.touch()
    (tmp_path / "other.ipynb").touch()
    return Source(path, path.stat().st_ino)


def name_of(source: Source) -> str:
    return source.tags()["mlflow.source.name"]


def test_it_keeps_its_file_when_it_is_renamed(notebook: Source, tmp_path: Path) -> None:
    assert notebook.file == tmp_path / "Untitled.ipynb"
    renamed = notebook.path.rename(tmp_path / "analysis.ipynb")
    renamed.write_text("{}")  # as Jupyter saves it
    assert notebook.file == renamed
    assert name_of(notebook) == "analysis.ipynb"
    assert notebook.is_known


def test_one_that_was_deleted_or_moved_is_left_to_mlflow_but_on_a_hub(
    notebook: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    notebook.path.rename(tmp_path / "folder" / "moved.ipynb")
    assert notebook.file is None
    assert not notebook.is_known
    monkeypatch.setenv(HUB, "refused")
    assert notebook.is_known
    assert name_of(notebook) == "Untitled.ipynb"


def test_one_that_was_renamed_before_mlflow_is_imported_is_left_to_mlflow(
    notebook: Source, tmp_path: Path
) -> None:
    notebook.path.rename(tmp_path / "analysis.ipynb")
    late = Source(notebook.path, None)
    assert not late.is_known
    assert late.file is None


def test_a_folder_that_was_renamed_is_no_error(notebook: Source, tmp_path: Path) -> None:
    tmp_path.rename(tmp_path.with_name("renamed"))
    assert notebook.file is None


def test_a_console_has_no_file(tmp_path: Path) -> None:
    console = Source(tmp_path / "Console 1", None)
    assert console.tags() == {"mlflow.source.name": "Console 1", "mlflow.source.type": "LOCAL"}
    assert console.is_known
    assert console.file is None


def test_one_thread_keeps_the_notebook_with_all_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell may end thousands of runs, and must not fail for want of threads."""
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread))  # noqa: PLW0108 (bound as a method)
    saved = SavedNotebook(Source(tmp_path / "a.ipynb", None), "file:///", has_outputs=True)
    for number in range(1000):
        saved.when_run_ends(SimpleNamespace(run_id=str(number)))
    assert len(started) == 1
