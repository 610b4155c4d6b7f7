"""MLflow's file store, which older releases created in their working folder."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from .stores import sqlite_uri

FOLDER = "mlruns"
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"  # MLflow's variable: 3.13 and newer refuse without it


def unmigrated(database: Path) -> Path | None:
    """The file store beside `database` whose runs a new database would hide."""
    folder = database.parent / FOLDER
    return folder if not database.exists() and is_file_store(folder) else None


def is_file_store(folder: Path) -> bool:
    """Whether `folder` holds an experiment; it may instead hold artifacts of a database's runs."""
    try:
        return any(
            experiment.name.isdigit() and (experiment / "meta.yaml").exists()
            for experiment in folder.iterdir()
        )
    except OSError:
        return False


def is_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `environment` allows MLflow to use a file store."""
    return environment.get(ALLOWED, "").lower() in ("true", "1")


def migration_command(python: str, folder: Path, database: Path) -> str:
    """The command that copies the file store in `folder` into a new `database`."""
    command = [python, "-m", "mlflow", "migrate-filestore"]
    return shlex.join([*command, f"--source={folder}", f"--target={sqlite_uri(database)}"])
