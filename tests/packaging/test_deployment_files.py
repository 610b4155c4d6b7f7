"""What can be checked of the files for Kubernetes without a cluster."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from mlflow_proxy.config import MLflowProxy

FOLDER = Path(__file__).parents[2] / "examples" / "jupyterhub" / "kubernetes"
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# Of the chart's schema: https://z2jh.jupyter.org/en/stable/resources/reference.html
SECTIONS = {"cull": {"enabled", "timeout"}, "hub": {"config"}, "singleuser": set[str]()}
SINGLEUSER = {"image", "defaultUrl", "memory", "cpu", "extraEnv", "extraFiles", "networkPolicy"}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@pytest.mark.parametrize("name", ["values.yaml", "team-server.yaml", "postgresql-s3.yaml"])
def test_values_have_the_charts_names_and_no_secret(name: str) -> None:
    values: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    assert values.keys() <= SECTIONS.keys()
    for section in ("cull", "hub"):
        assert values.get(section, {}).keys() <= SECTIONS[section]
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


def test_the_server_of_the_manifest_is_what_the_values_name() -> None:
    text = (FOLDER / "mlflow-server.yaml").read_text()
    deployment, service, policy = yaml.safe_load_all(text)
    values = yaml.safe_load((FOLDER / "team-server.yaml").read_text())["singleuser"]
    address = urlsplit(values["extraEnv"]["MLFLOW_TRACKING_URI"])
    name, namespace = (service["metadata"][key] for key in ("name", "namespace"))
    (port,) = service["spec"]["ports"]
    assert address.netloc == f"{name}.{namespace}.svc.cluster.local:{port['port']}"
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert f"--port={port['port']}" in container["args"]
    (hosts,) = (each for each in container["args"] if each.startswith("--allowed-hosts="))
    assert address.netloc in hosts.partition("=")[2].split(",")
    assert container["ports"][0]["name"] == port["targetPort"]
    for labels in (service["spec"]["selector"], policy["spec"]["podSelector"]["matchLabels"]):
        assert labels.items() <= pod["metadata"]["labels"].items()
    assert {container[probe]["httpGet"]["path"] for probe in PROBES} == {"/health"}
    assert container["resources"]["limits"].keys() == {"memory"}
    secrets = {each["name"] for each in container["env"] if "valueFrom" in each}
    assert secrets == {"MLFLOW_BACKEND_STORE_URI", *SECRETS}


def test_the_server_s_image_has_the_tested_mlflow_and_the_drivers() -> None:
    with (FOLDER / "Dockerfile.server").open("rb") as file:
        install = DockerfileParser(fileobj=file).structure[-1]["value"]
    assert f'"mlflow=={version("mlflow")}" "psycopg[binary]" boto3' in install


def test_the_dockerfile_installs_the_package_on_a_jupyter_stack() -> None:
    parser = DockerfileParser(str(FOLDER / "Dockerfile"))
    steps = [each for each in parser.structure if each["instruction"] != "COMMENT"]
    assert [each["instruction"] for each in steps] == ["ARG", "FROM", "RUN"]
    assert parser.parent_images[0].startswith("quay.io/jupyter/")
    assert "pip install --no-cache-dir jupyter-mlflow-proxy " in steps[-1]["value"]
