"""JupyterHub with a private MLflow store for each user: `mlflow.db` and `mlartifacts` at home.

    jupyterhub --config=private_stores.py

The tile needs none of this. What follows saves memory. Homes must be closed to other users (mode
0700), because a store has the permissions of its files.
"""

import os
import sys

c = get_config()  # noqa: F821

# Seconds without use after which MLflow is stopped (about 260 MB a user), and the whole server.
MLFLOW_IDLE = int(os.environ.get("MLFLOW_IDLE_SECONDS", "1200"))
SERVER_IDLE = int(os.environ.get("SERVER_IDLE_SECONDS", "7200"))

# Every account of this machine may log in. On a hub with other users, name them instead.
c.Authenticator.allow_all = True
c.Spawner.default_url = "/lab"

# Each setting of c.MLflowProxy can be set so.
c.Spawner.args.append(f"--MLflowProxy.idle_timeout={MLFLOW_IDLE}")

# `pip install jupyterhub-idle-culler` in the hub's environment.
c.JupyterHub.services.append(
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={SERVER_IDLE}"],
    }
)
c.JupyterHub.load_roles.append(
    {
        "name": "idle-culler",
        "services": ["idle-culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
)

# MLflow reports to its makers which of its features are used, unless this is set.
# c.Spawner.environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
