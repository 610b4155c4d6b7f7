"""A real `mlflow server`, as a team runs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from .environments import python_of
from .processes import environment, free_ports, running
from .waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
OLDEST = REPOSITORY / ".venv-oldest" / "bin" / "python"  # of `tests/run.sh --oldest`
REQUIREMENTS = ("mlflow==3.10.0", "sqlalchemy<2.1", "Flask-WTF<2", "psycopg[binary]")
USER, PASSWORD = "admin", "the-admins-password"  # of MLflow's basic-auth app
AUTH_CONFIG = """[mlflow]
default_permission = READ
database_uri = sqlite:///{home}/auth.db
admin_username = admin
admin_password = the-admins-password
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


def oldest() -> Path:
    """The interpreter of an environment with the oldest MLflow that is supported."""
    return OLDEST if OLDEST.exists() else python_of(*REQUIREMENTS)


@dataclass(frozen=True)
class TrackingServer:
    """A running `mlflow server`."""

    url: str
    """Its address, with its prefix."""
    port: int
    process: psutil.Process
    artifacts: Path


@contextmanager
def tracking_server(
    home: Path,
    *options: str,
    python: Path = Path(sys.executable),
    prefix: str = "",
    port: int = 0,
    env: Mapping[str, str] | None = None,
    with_users: bool = False,
) -> Iterator[TrackingServer]:
    """Run `mlflow server` of `python` with a store in `home`; with `with_users` it asks for one."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "auth.ini").write_text(AUTH_CONFIG.format(home=home))
    variables = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_AUTH_CONFIG_PATH": str(home / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of the tests",
        "PATH": str(python.parent),  # MLflow starts its server by its name
        **(env or {}),
    }
    port = port or free_ports(1)[0]
    command = [str(python), "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
    command += ["--artifacts-destination", str(home / "artifacts"), *options]
    command += ["--static-prefix", prefix] if prefix else []
    command += ["--app-name", "basic-auth"] if with_users else []
    url = f"http://127.0.0.1:{port}{prefix}"

    def answers() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    log = home / "server.log"
    with running(command, cwd=home, env=environment(home, variables), log=log) as process:
        wait_for(answers, 90, f"mlflow server does not answer, see {log}")
        yield TrackingServer(url, port, psutil.Process(process.pid), home / "artifacts")
