"""JupyterHub for the tests: all files are in its working folder, with a home for each user.

With `TESTS_EXAMPLE`, it is that configuration, and what makes it run on a test machine.
Ports and the base URL are on the command line (support/hub.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyterhub.spawner import Spawner

c: Any = get_config()  # noqa: F821 (the loader's)
homes = Path.cwd()
if "TESTS_EXAMPLE" in os.environ:
    load_subconfig(os.environ["TESTS_EXAMPLE"])  # noqa: F821 (the loader's)

c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.cleanup_servers = True
c.JupyterHub.cleanup_proxy = True
c.JupyterHub.last_activity_interval = 1
c.JupyterHub.services.append({"name": "tests", "api_token": os.environ["TESTS_ADMIN_TOKEN"]})
c.JupyterHub.load_roles.append({"name": "admin", "services": ["tests"]})
c.DummyAuthenticator.password = os.environ["TESTS_PASSWORD"]
c.Authenticator.allow_all = True

c.SimpleLocalProcessSpawner.home_dir_template = str(homes / "{username}")
c.Spawner.notebook_dir = str(homes / "{username}" / "work")
c.Spawner.default_url = "/lab"
c.Spawner.environment.update(
    {
        "JUPYTER_CONFIG_DIR": str(homes / "config"),
        "TMPDIR": lambda spawner: str(homes / spawner.user.name / "tmp"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Without this check, MLflow's gateway takes a model server of this machine.
        "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
        "JUPYTERHUB_ACTIVITY_INTERVAL": "1",  # seconds, like last_activity_interval; default 300
    }
)
c.Spawner.args.extend(["--allow-root"] if os.geteuid() == 0 else [])
# JupyterLab asks npm for language servers, which takes a second of processor.
c.Spawner.args.append("--LanguageServerManager.autodetect=False")
hook_of_example = c.Spawner.get("pre_spawn_hook")


async def prepare(spawner: Spawner) -> None:
    """Prepare the home, then do what the example does."""
    prepare_home(spawner)
    if hook_of_example:
        await hook_of_example(spawner)


def prepare_home(spawner: Spawner) -> None:
    """Create the folders of a home on a real hub; use the user's own configuration, if any."""
    home = homes / spawner.user.name
    for name in ("work", "tmp"):
        (home / name).mkdir(parents=True, exist_ok=True)
    if (home / "config").exists():
        own = {"JUPYTER_CONFIG_DIR": str(home / "config")}
        spawner.environment = {**spawner.environment, **own}


c.Spawner.pre_spawn_hook = prepare
