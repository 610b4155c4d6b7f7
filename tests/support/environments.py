"""Other environments: Python with another MLflow and without this package, and R."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[2] / ".venv-kernels"
UV = Path(sys.executable).parent / "uv"
TIMEOUT = 300  # seconds to install packages
AS_OLD = """
import runpy, sys
sys.version_info, sys.argv = (3, 9, 1), sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def python_of(requirement: str, *more: str, minor: str = "") -> Path:
    """The interpreter of an environment with `requirement`, `more` and ipykernel, made once.

    `minor` is a release of Python that this machine has, e.g. 3.12.
    """
    folder = ENVIRONMENTS / (requirement.replace("==", "-") + (minor and f"-python{minor}"))
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        base = find_python(minor) if minor else sys.executable
        command = [str(base), "-m", "venv", "--clear", "--without-pip", str(folder)]
        subprocess.run(command, check=True)
        install = [str(UV), "pip", "install", "-q", "--compile-bytecode", "--python", str(python)]
        # setuptools: MLflow 2 imports `pkg_resources`.
        packages = ("ipykernel", "setuptools<81", requirement, *more)
        subprocess.run([*install, *packages], check=True, timeout=TIMEOUT)
        (folder / "complete").touch()
    return python


def find_python(minor: str) -> Path | None:
    """An interpreter of Python `minor`, e.g. 3.12, on the path or of pyenv; None: there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    candidates = [shutil.which(f"python{minor}"), *pyenv.glob(f"versions/{minor}.*/bin/python")]
    for candidate in filter(None, candidates):
        says_hello = [str(candidate), "-c", "print('hello')"]  # a shim of pyenv may be no program
        if subprocess.run(says_hello, capture_output=True, check=False).stdout == b"hello\n":
            return Path(candidate)
    return None


def too_old_python(folder: Path) -> Path:
    """Make a program in `folder` that runs ours as Python 3.9 would."""
    script = folder / "python3.9"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{AS_OLD}' \"$@\"\n")
    script.chmod(0o700)
    return script


def make_virtual(folder: Path, python: Path | str) -> Path:
    """Make a virtual environment with the packages of that of `python`; returns its interpreter."""
    subprocess.run([str(python), "-m", "venv", "--without-pip", str(folder)], check=True)
    return _with_packages(folder / "bin" / "python", python)


def make_conda_like(folder: Path, python: Path | str) -> Path:
    """Make an environment as conda's are, with the packages of `python`'s; its interpreter.

    It has a Python of its own: a program and a standard library below its folder.
    """
    paths = "import os, sys, sysconfig as s; print(os.path.realpath(sys.executable)); "
    printed = _print(python, f"{paths}print(s.get_path('stdlib'))")
    program, library = (Path(line) for line in printed.splitlines())
    own = folder / "lib" / library.name
    (own / "site-packages").mkdir(parents=True)
    for each in library.iterdir():
        if each.name not in ("site-packages", "dist-packages"):
            (own / each.name).symlink_to(each)
    (folder / "bin").mkdir()
    (folder / "conda-meta").mkdir()
    shutil.copy(program, folder / "bin" / library.name)
    (folder / "bin" / "python").symlink_to(library.name)
    return _with_packages(folder / "bin" / "python", python)


def _with_packages(python: Path, others: Path | str) -> Path:
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    (Path(_print(python, purelib)) / "packages.pth").write_text(_print(others, purelib))
    return python


def _print(python: Path | str, code: str) -> str:
    command = [str(python), "-I", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


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
