"""MLflow's background jobs, run in processes of their own without a runner that waits for them.

`mlflow server` keeps a process for each kind of job, which polls a queue for it. Here the MLflow
process starts the job's process itself, so there is nothing to keep while there is no job.
"""

from .keeper import running
from .mlflow_jobs import why_not

__all__ = ["running", "why_not"]
