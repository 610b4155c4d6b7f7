"""The tile on mybinder.org: a Jupyter server below a long path, with a token in the link.

BinderHub starts JupyterLab with these options and variables, rather than `jupyterhub-singleuser`:
https://github.com/jupyterhub/binderhub/blob/main/binderhub/binderspawner_mixin.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import requests

from support.lab import PAGE, TOKEN, lab_server
from support.nginx import nginx_server
from support.processes import BIN, free_ports

POST_BUILD = Path(__file__).parents[2] / ".binder" / "postBuild"
BASE_URL = "/user/example-org-jupyter-mlflow-proxy-2fk4qz1v/"
HOST = "hub.mybinder.example.org"
CONFIG = """
c.ServerApp.trust_xheaders = True
c.ServerApp.allow_remote_access = True  # as with --ip=0.0.0.0
c.ServerApp.default_url = "/lab/"
"""
VARIABLES = {
    "JUPYTERHUB_SERVICE_PREFIX": BASE_URL,
    "JUPYTERHUB_USER": "example-org-jupyter-mlflow-proxy-2fk4qz1v",
    "JUPYTERHUB_API_TOKEN": "unused",
    "BINDER_LAUNCH_HOST": "https://mybinder.example.org/",
}
LOG_A_RUN = "import mlflow\nwith mlflow.start_run() as run: mlflow.log_metric('loss', 0.25)\n"
LOG_A_RUN += "print(run.info.run_id)"
# What mybinder.org's proxies, which end TLS, send on.
HEADERS = f"proxy_set_header Host {HOST}; proxy_set_header X-Forwarded-Proto https;"


def test_the_link_with_a_token_opens_the_tile(tmp_path: Path) -> None:
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([str(POST_BUILD)], env=env, check=True, capture_output=True)
    options: Any = {"program": "lab", "base_url": BASE_URL, "config": CONFIG, "env": VARIABLES}
    with lab_server(tmp_path / "lab", **options) as lab:
        run = lab.run_in_kernel(LOG_A_RUN).strip()
        (port,) = free_ports(1)
        upstream = lab.url.partition("/user/")[0]
        with (
            nginx_server(tmp_path / "nginx", upstream, HEADERS, port) as origin,
            requests.Session() as browser,
        ):
            url = f"{origin}{BASE_URL}mlflow"
            link = browser.get(f"{url}/?token={TOKEN}", headers=PAGE, timeout=30)
            assert link.ok
            for cookie in browser.cookies:  # for HTTPS only, which ends at the proxies
                cookie.secure = False
            lab.wait_until("ready")
            assert "<title>MLflow</title>" in browser.get(f"{url}/", headers=PAGE, timeout=30).text
            got = browser.get(f"{url}/ajax-api/2.0/mlflow/runs/get?run_id={run}", timeout=30)
            assert got.json()["run"]["data"]["metrics"][0]["value"] == 0.25
            headers = {"Origin": f"https://{HOST}", "X-XSRFToken": browser.cookies["_xsrf"]}
            create = f"{url}/ajax-api/2.0/mlflow/experiments/create"
            body = {"name": "of a visitor"}
            assert browser.post(create, json=body, headers=headers, timeout=30).ok
            assert browser.post(create, json=body, timeout=30).status_code == 403
            assert requests.get(f"{url}/", headers=PAGE, timeout=30).url.startswith(
                f"{origin}{BASE_URL}login"
            )
