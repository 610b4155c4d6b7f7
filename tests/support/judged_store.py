"""A store with a trace to judge, and the requests of the dashboard about it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from .processes import environment

SCRIPT = Path(__file__).parents[1] / "resources" / "log_traces.py"
INVOKE = "/ajax-api/3.0/mlflow/scorer/invoke"
ONLINE = "UPDATE online_scoring_configs SET sample_rate = ?"


def run_in_store(database: Path, script: Path, *arguments: str) -> Any:
    """Run `script` with `database` as the store; returns the JSON that it prints last."""
    folder = database.parent
    variables = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{database}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": f"{folder}/mlartifacts",
    }
    printed = subprocess.run(
        [sys.executable, str(script), *arguments],
        env=environment(folder, variables),
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(printed.stdout.splitlines()[-1])


class JudgedStore:
    """The database `mlflow.db` in `folder`, with what `log_traces.py` puts there."""

    def __init__(self, folder: Path, model_server: str) -> None:
        self.database = folder / "mlflow.db"
        self.made = run_in_store(self.database, SCRIPT, model_server)

    def copy_to(self, folder: Path, *, judge_is_on: bool = False) -> Path:
        """Copy the database into `folder`; returns the copy."""
        database = Path(shutil.copy(self.database, folder))
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(ONLINE, (1.0 if judge_is_on else 0.0,))
        return database

    def invocation(self, judge: str = "direct") -> dict[str, Any]:
        """The body of the request of "Run judge"."""
        return {
            "experiment_id": self.made["experiment_id"],
            "serialized_scorer": self.made["judges"][judge],
            "trace_ids": [self.made["trace_id"]],
            "log_assessments": True,
        }


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """What `sql` selects in `database`."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def assessments(database: Path) -> list[tuple[str, str, str | None]]:
    """Name, value and error of each assessment."""
    return rows(database, "SELECT name, value, error FROM assessments")


def jobs(database: Path) -> list[tuple[str, int, str]]:
    """Name, status and result (or error) of each job."""
    return rows(database, "SELECT job_name, status, result FROM jobs ORDER BY creation_time")
