"""Finds the MLflow of this interpreter without importing it."""

import contextlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path

from .errors import COMMAND, StartError

OLDEST = (3, 10)  # of MLflow
RELEASE = re.compile(r"^VERSION\s*=\s*[\"'](\d+(?:\.\d+)*)", re.MULTILINE)


def find_mlflow() -> Path:
    """Find MLflow's folder.

    Raises:
        StartError: this interpreter has no MLflow, or one that is too old.
    """
    spec = importlib.util.find_spec("mlflow")
    run_pip = f"Run:{COMMAND}{shlex.quote(sys.executable)} -m pip install"
    for each in (spec and spec.submodule_search_locations) or ():
        folder = Path(each)
        if (release := _release(folder)) and release < OLDEST:
            raise StartError(
                f"MLflow {'.'.join(map(str, release))} of {sys.executable} is too old.",
                f'{run_pip} "mlflow>={OLDEST[0]}.{OLDEST[1]}"',
            )
        if _is_skinny(folder):
            raise StartError(
                f"Only mlflow-skinny is installed for {sys.executable}, without MLflow's server.",
                f"{run_pip} mlflow",
            )
        if (folder / "server" / "__init__.py").is_file():
            return folder
    raise StartError(f"MLflow is not installed for {sys.executable}.", f"{run_pip} mlflow")


def _is_skinny(mlflow_folder: Path) -> bool:
    """Whether the folder is of mlflow-skinny, which has the server's modules, but not its needs."""
    beside = mlflow_folder.parent
    return any(beside.glob("mlflow_skinny-*-info")) and not any(beside.glob("mlflow-*-info"))


def _release(mlflow_folder: Path) -> tuple[int, ...] | None:
    """Numbers of the release of MLflow, read from its source; None if they cannot be found."""
    with contextlib.suppress(OSError):
        if match := RELEASE.search((mlflow_folder / "version.py").read_text(encoding="utf-8")):
            return tuple(int(number) for number in match[1].split("."))
    return None
