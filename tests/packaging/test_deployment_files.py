"""What can be checked of the files for Kubernetes without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from mlflow_proxy.config import MLflowProxy

FOLDER = Path(__file__).parents[2] / "examples" / "jupyterhub" / "kubernetes"
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# Of the chart's schema: https://z2jh.jupyter.org/en/stable/resources/reference.html
SECTIONS = {"cull": {"enabled", "timeout"}, "singleuser": set[str]()}
SINGLEUSER = {"image", "defaultUrl", "memory", "extraEnv", "extraFiles", "networkPolicy"}


@pytest.mark.parametrize("name", ["values.yaml", "team-server.yaml", "postgresql-s3.yaml"])
def test_values_have_the_charts_names_and_no_secret(name: str) -> None:
    values: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    assert values.keys() <= SECTIONS.keys()
    assert values.get("cull", {}).keys() <= SECTIONS["cull"]
    assert values["singleuser"].keys() <= SINGLEUSER
    variables = values["singleuser"]["extraEnv"]
    for secret in SECRETS:
        assert isinstance(variables.get(secret, {}), dict), f"{secret} is not from a secret"
    uri = variables.get("MLFLOW_TRACKING_URI", {})
    assert isinstance(uri, dict) or "@" not in uri


def test_settings_in_the_values_exist() -> None:
    files = yaml.safe_load((FOLDER / "values.yaml").read_text())["singleuser"]["extraFiles"]
    for file in files.values():
        # Jupyter reads no settings in the folders `jupyter_server_config.d`.
        assert file["mountPath"].endswith("/etc/jupyter/jupyter_server_config.json")
        assert file["data"]["MLflowProxy"].keys() <= MLflowProxy.class_traits(config=True).keys()


def test_the_dockerfile_installs_the_package_on_a_jupyter_stack() -> None:
    parser = DockerfileParser(str(FOLDER / "Dockerfile"))
    steps = [each for each in parser.structure if each["instruction"] != "COMMENT"]
    assert [each["instruction"] for each in steps] == ["ARG", "FROM", "RUN"]
    assert parser.parent_images[0].startswith("quay.io/jupyter/")
    assert "pip install --no-cache-dir jupyter-mlflow-proxy " in steps[-1]["value"]
