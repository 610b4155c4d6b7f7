"""MLflow's file store, as older releases made one wherever they were started.

Asked for by the Jupyter server and by the MLflow process. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = "mlruns"
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"  # MLflow's own variable: without it, 3.13 and newer refuse


def unmigrated(database: Path) -> Path | None:
    """The file store that a new `database` would stand before, with all its runs unseen."""
    folder = database.parent / FOLDER
    return folder if not database.exists() and is_file_store(folder) else None


def is_file_store(folder: Path) -> bool:
    """Whether `folder` holds an experiment; artifacts of a database's runs may be there, too."""
    try:
        return any(
            experiment.name.isdigit() and (experiment / "meta.yaml").exists()
            for experiment in folder.iterdir()
        )
    except OSError:
        return False


def is_allowed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `environment` says to use a file store as it is."""
    return environment.get(ALLOWED, "").lower() in ("true", "1")
