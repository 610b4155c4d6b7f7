"""MLflow: several processes that create one SQLite store at once.

    pip install mlflow && python mlflow_sqlite_creation_race.py

Expected: one creates the tables, the others wait. Seen: some raise, and the database may lack
tables or its revision afterwards.
"""

import subprocess
import sys
import tempfile

PROCESSES = 4
LOG = """
import os, pathlib, sys, time
import mlflow

pathlib.Path(f"ready-{os.getpid()}").touch()
while len(list(pathlib.Path().glob("ready-*"))) < int(sys.argv[1]):
    time.sleep(0.001)
with mlflow.start_run():
    mlflow.log_metric("x", 1)
"""

with tempfile.TemporaryDirectory() as folder:
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "PATH": ""}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOG, str(PROCESSES)],
            cwd=folder,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    errors = [process.communicate()[1] for process in processes]
    failed = [
        error.strip().splitlines()[-1]
        for process, error in zip(processes, errors, strict=True)
        if process.returncode
    ]
    print(f"{len(failed)} of {PROCESSES} processes failed:", *failed, sep="\n  ")
    assert not failed
