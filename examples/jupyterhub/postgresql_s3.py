"""JupyterHub whose users share a PostgreSQL database and an S3 bucket, without a tracking server.

    export MLFLOW_STORE='postgresql+psycopg://mlflow:<password>@db.example.org/mlflow'
    export MLFLOW_ARTIFACTS='s3://team-bucket/mlflow'
    export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
    jupyterhub --config=postgresql_s3.py

Users' servers and kernels open the database and the bucket themselves. That is fast, and each user
can read, change and delete all runs. Where that is too much, take team_server.py, with the same two
addresses: the tracking server alone then opens them.

Install `psycopg[binary]` and `boto3` in the users' environment. Create the tables once, with the
MLflow of the users: `mlflow db upgrade "$MLFLOW_STORE"`.
"""

import os

c = get_config()  # noqa: F821

STORE = os.environ["MLFLOW_STORE"]
ARTIFACTS = os.environ["MLFLOW_ARTIFACTS"]
# What boto3 reads; the last is for a store that is not Amazon's.
BUCKET = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "MLFLOW_S3_ENDPOINT_URL",
)

# Every account of this machine may log in. On a hub with other users, name them instead.
c.Authenticator.allow_all = True
c.Spawner.default_url = "/lab"
c.Spawner.environment.update(
    {
        "MLFLOW_TRACKING_URI": STORE,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": ARTIFACTS,
        **{name: os.environ[name] for name in BUCKET if name in os.environ},
    }
)

# MLflow reports to its makers which of its features are used, unless this is set.
# c.Spawner.environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
