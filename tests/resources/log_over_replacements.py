"""Log a run, with a file, for each line of stdin; print the run's id.

The client is MLflow's own with its default settings, in one process: it keeps its connections.
"""

import sys

import mlflow

for line in sys.stdin:
    with mlflow.start_run(run_name=line.strip()) as run:
        mlflow.log_metric("m", 1)
        mlflow.log_metrics({"a": 1, "b": 2})
        mlflow.log_text(line * 1000, "folder/note.txt")
    print(run.info.run_id, flush=True)
