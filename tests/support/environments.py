"""Kernels of other environments: Python with another MLflow and without this package, and R."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[2] / ".venv-kernels"
TIMEOUT = 300  # seconds for pip


def python_of(requirement: str, *more: str) -> Path:
    """The interpreter of an environment with `requirement`, `more` and ipykernel, made once."""
    folder = ENVIRONMENTS / requirement.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        # setuptools: MLflow 2 imports `pkg_resources`.
        pip = [str(python), "-m", "pip", "install", "-q", "ipykernel", "setuptools<81"]
        subprocess.run([*pip, requirement, *more], check=True, timeout=TIMEOUT)
        (folder / "complete").touch()
    return python


def add_kernel(folder: Path, name: str, *argv: str, language: str = "python") -> None:
    """Add a kernel specification `name` to `folder`, which `JUPYTER_PATH` must name."""
    specification = {"argv": [*argv], "display_name": name, "language": language}
    file = folder / "kernels" / name / "kernel.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(specification))


def add_python(folder: Path, name: str, requirement: str) -> None:
    """Add a Python kernel with `requirement`."""
    python = str(python_of(requirement))
    add_kernel(folder, name, python, "-m", "ipykernel_launcher", "-f", "{connection_file}")


def add_r(folder: Path) -> None:
    """Add the R kernel `ir`."""
    run = "IRkernel::main()"
    add_kernel(folder, "ir", "R", "--slave", "-e", run, "--args", "{connection_file}", language="R")
