"""JupyterHub with one MLflow tracking server for all users, which the hub runs.

    export MLFLOW_TEAM_SECRET=$(openssl rand -hex 32)  # keep it: a new one locks all users out
    jupyterhub --config=team_server.py

Each user has an account on the tracking server, with a password that the hub makes. Users read
everything and log to all experiments. Only its creator deletes an experiment.

A user who changes that password, on the account page of the dashboard, is then refused in kernels
and in the tile, because the hub goes on to send its own. The next start of the user's server sets
that again.

Install `mlflow[auth]>=3.16.1` in the hub's environment. The tracking server listens on 127.0.0.1:
users' servers must run on the hub's machine. kubernetes/team-server.yaml is for those elsewhere.
"""

import asyncio
import hashlib
import hmac
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

from packaging.version import Version
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

c = get_config()  # noqa: F821

SECRET = os.environ.get("MLFLOW_TEAM_SECRET", "")
FOLDER = Path(os.environ.get("MLFLOW_TEAM_FOLDER", "/srv/mlflow"))  # of runs, artifacts, accounts
PORT = int(os.environ.get("MLFLOW_TEAM_PORT", "5000"))
# `postgresql+psycopg://...` for more than a few users.
STORE = os.environ.get("MLFLOW_TEAM_STORE", f"sqlite:///{FOLDER}/mlflow.db")
ARTIFACTS = os.environ.get("MLFLOW_TEAM_ARTIFACTS", str(FOLDER / "artifacts"))  # or `s3://...`
BUCKET = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")  # if it is one
WORKERS = int(os.environ.get("MLFLOW_TEAM_WORKERS", "2"))  # processes, about 250 MB each

MIN_SECRET = 32  # characters
URL = f"http://127.0.0.1:{PORT}"
ADMIN = "JupyterHub"  # of the tracking server; names of hub users have no capitals
PATIENCE = 30  # seconds that the start of a user's server waits for the tracking server

if Version(version("mlflow")) < Version("3.16.1"):
    raise SystemExit("MLflow before 3.16.1 has an administrator with a known password. Upgrade it.")
if len(SECRET) < MIN_SECRET:
    raise SystemExit(
        f"MLFLOW_TEAM_SECRET takes {MIN_SECRET} characters or more, in the hub's environment: "
        "export MLFLOW_TEAM_SECRET=$(openssl rand -hex 32)"
    )
FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)


def derived(purpose: str) -> str:
    """A password that only the hub can derive; the same for the same purpose."""
    return hmac.new(SECRET.encode(), purpose.encode(), hashlib.sha256).hexdigest()


AUTH = f"""[mlflow]
default_permission = EDIT
database_uri = sqlite:///{FOLDER}/accounts.db
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""
(FOLDER / "auth.ini").write_text(AUTH)  # without a password

c.JupyterHub.services.append(
    {
        "name": "mlflow",
        # "user": "mlflow",  # an account for it, which owns FOLDER, where the hub runs as root
        "cwd": str(FOLDER),
        "command": [
            *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
            *("--host", "127.0.0.1", "--port", str(PORT), "--workers", str(WORKERS)),
            *("--artifacts-destination", ARTIFACTS),
        ],
        # The store's password is in no argument, which other users could list.
        "environment": {
            "MLFLOW_BACKEND_STORE_URI": STORE,
            "MLFLOW_AUTH_CONFIG_PATH": str(FOLDER / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
            "MLFLOW_AUTH_ADMIN_PASSWORD": derived("administrator"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": derived("forms"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves 2 GB; LLM judges need it
            **{name: os.environ[name] for name in BUCKET if name in os.environ},
            # "MLFLOW_DISABLE_TELEMETRY": "true",  # what MLflow reports to its makers
        },
    }
)

# Every account of this machine may log in. On a hub with other users, name them instead.
c.Authenticator.allow_all = True
c.Spawner.default_url = "/lab"
c.Spawner.environment.update(
    {
        "MLFLOW_TRACKING_URI": URL,
        "MLFLOW_TRACKING_USERNAME": lambda spawner: spawner.user.name,
        "MLFLOW_TRACKING_PASSWORD": lambda spawner: derived(f"user {spawner.user.name}"),
    }
)


async def ask(method, path, name):
    """Ask the tracking server for a change of the user's account."""
    await AsyncHTTPClient().fetch(
        f"{URL}/api/2.0/mlflow/users/{path}",
        method=method,
        headers={"Content-Type": "application/json"},
        body=json.dumps({"username": name, "password": derived(f"user {name}")}),
        auth_username=ADMIN,
        auth_password=derived("administrator"),
    )


async def create_account(spawner):
    """Create the user's account on the tracking server, once that answers, or set its password."""
    name = spawner.user.name
    method, path = "POST", "create"
    while True:
        try:
            await ask(method, path, name)
            return
        except (HTTPClientError, OSError) as error:
            answer = getattr(error, "response", None)
            if answer and b"RESOURCE_ALREADY_EXISTS" in answer.body:
                method, path = "PATCH", "update-password"  # the user may have changed it
            elif answer:
                spawner.log.error("MLflow has no account for %s: %s", name, error)
                return
            else:
                await asyncio.sleep(1)  # the tracking server starts with the hub


async def have_account(spawner):
    """Wait for the account, but let Jupyter start if the tracking server does not answer."""
    creation = asyncio.ensure_future(create_account(spawner))
    creations.add(creation)  # which goes on; asyncio itself keeps no reference
    creation.add_done_callback(creations.discard)
    await asyncio.wait([creation], timeout=PATIENCE)


creations = set()
c.Spawner.pre_spawn_hook = have_account

# MLflow reports to its makers which of its features are used, unless this is set.
# c.Spawner.environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
