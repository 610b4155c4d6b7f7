"""The interpreter that runs MLflow: `c.MLflowProxy.python`, perhaps of another environment."""

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from .reports import Failure

SETTING = "c.MLflowProxy.python"
CORRECT = f"Correct {SETTING} in the Jupyter configuration, then restart Jupyter."
OR_CORRECT = f"Or correct {SETTING} in the Jupyter configuration, then restart Jupyter."
MAKE_ANEW = f"Make its environment anew. {OR_CORRECT}"
MAX_LINKS = 40  # as Linux has it

# They tell an interpreter where its modules are. What is meant for Jupyter's is wrong for another:
# modules of another release or of another Python. HPC modules and wrappers of Jupyter set them.
INTERPRETER_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE")
# They name the environment that is activated.
ACTIVATION_VARIABLES = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV")
# What is in the folder of an environment, and the variable that names the folder. Scripts that a
# conda package may have in `etc/conda/activate.d` are not run.
ENVIRONMENT_KINDS = (("pyvenv.cfg", "VIRTUAL_ENV"), ("conda-meta", "CONDA_PREFIX"))


def find_interpreter(python: str) -> str:
    """The interpreter to run for `python`: a path, or the name of a program.

    Python finds its virtual environment beside the path by which it is run. Through a link to
    `bin/python` from elsewhere it would not, and would lack the packages of that environment.
    """
    if os.sep not in python:
        candidates = (os.path.join(folder, python) for folder in os.get_exec_path())
        python = next((each for each in candidates if os.access(each, os.X_OK)), python)
    path = Path(python)
    for _ in range(MAX_LINKS):
        if (path.parent.parent / "pyvenv.cfg").exists():
            return str(path)
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return python


def adapted_environment(
    python: str, inherited: Mapping[str, str], chosen: Collection[str]
) -> dict[str, str]:
    """What `inherited` becomes for `python`, as if its environment were activated.

    It stays as it is for Jupyter's own environment. Variables in `chosen` are the user's for MLflow
    and stay as well.
    """
    bin_folder = os.path.dirname(python)
    if _is_same(bin_folder, os.path.dirname(sys.executable)):
        return dict(inherited)
    prefix = Path(bin_folder).parent
    own = {
        variable: str(prefix) for mark, variable in ENVIRONMENT_KINDS if (prefix / mark).exists()
    }
    if own:
        own["PATH"] = os.pathsep.join(filter(None, (bin_folder, inherited.get("PATH"))))
    dropped = {*INTERPRETER_VARIABLES, *ACTIVATION_VARIABLES} - {*chosen}
    kept = {name: value for name, value in inherited.items() if name not in dropped}
    return {**kept, **{name: value for name, value in own.items() if name not in chosen}}


def _is_same(folder: str, other: str) -> bool:
    try:
        return os.path.samefile(folder, other)
    except OSError:
        return False


def cannot_run(python: str, error: OSError) -> Failure:
    """Failure of a start at which the system has refused to run `python`."""
    path = Path(python)
    what = f"MLflow's interpreter, {python},"
    if path.is_dir():
        inside = (path / name for name in ("bin/python", "python"))
        found = next((each for each in inside if os.access(each, os.X_OK)), None)
        remedy = f"Name the interpreter in it: {SETTING} = {str(found)!r}. Then restart Jupyter."
        return Failure(f"{what} is a folder.", remedy if found else CORRECT)
    if path.is_symlink() and not path.exists():
        target = path.resolve()
        return Failure(f"{what} is a link to {target}, which does not exist.", MAKE_ANEW)
    if not os.path.lexists(path):
        return Failure(f"{what} does not exist.", CORRECT)
    if not os.access(path, os.X_OK):
        return Failure(f"{what} may not be run by this user.", f"Make it executable. {OR_CORRECT}")
    if isinstance(error, FileNotFoundError):
        return Failure(f"{what} is run by a program that does not exist.", MAKE_ANEW)
    return Failure(f"{what} cannot be run: {error.strerror}.", CORRECT)
