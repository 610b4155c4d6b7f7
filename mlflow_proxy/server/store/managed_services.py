"""Stores of hosted MLflow services: whose dashboard shows them, and how to open it."""

import configparser
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from mlflow_proxy.passwords import mask_uri
from mlflow_proxy.server.errors import COMMAND, StartError

AZURE = re.compile(
    r"azureml://.*?(?P<workspace>/subscriptions/[\w-]+/resourceGroups/[\w.()-]+)"
    r"/providers/Microsoft\.MachineLearningServices(?P<name>/workspaces/[\w-]+).*",
    re.IGNORECASE,
)
SAGEMAKER = re.compile(r"arn:aws[\w-]*:sagemaker:(?P<region>[\w-]+):\d*:[\w-]+/(?P<name>[\w-]+)")
PROFILE = re.compile(r"databricks(?:-uc)?://(?P<profile>[^:/]+)/?")
HOST = re.compile(r"(?:https://)?(?P<host>[\w.-]+(?::\d+)?)/?")


def explain(uri: str, environment: Mapping[str, str] = os.environ) -> StartError:
    """Say whose dashboard shows the store `uri`, and how to open it."""
    if uri.startswith("databricks"):
        whose, how = "Databricks", _databricks(uri, environment)
    elif uri.startswith("azureml:"):
        whose, how = "Azure Machine Learning", _azure(uri)
    elif uri.startswith("arn:"):
        whose, how = "Amazon SageMaker", _sagemaker(uri)
    else:
        whose, how = "Unity Catalog", "Open it in the browser."
    return StartError(
        f"The runs of {mask_uri(uri)} are kept by {whose}, which has a dashboard of its own.",
        f"{how}\nNotebooks log to it all the same.",
    )


def _databricks(uri: str, environment: Mapping[str, str]) -> str:
    """From the variable or the file in which Databricks' own programs find the workspace."""
    profile = PROFILE.fullmatch(uri)
    named = environment.get("DATABRICKS_HOST", "") if not profile else ""
    found = HOST.fullmatch(named or _host_in_file(profile and profile["profile"], environment))
    if not found:
        return "Open the workspace in the browser."
    return f"Open https://{found['host']}/ml/experiments"


def _host_in_file(profile: str | None, environment: Mapping[str, str]) -> str:
    file = Path(environment.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser()
    section = profile or environment.get("DATABRICKS_CONFIG_PROFILE") or "DEFAULT"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(file, encoding="utf-8")
        return parser.get(section, "host", fallback="")
    except (configparser.Error, OSError, UnicodeError):
        return ""


def _azure(uri: str) -> str:
    if not (found := AZURE.fullmatch(uri)):
        return "Open https://ml.azure.com"
    return f"Open https://ml.azure.com/experiments?wsid={found['workspace']}{found['name']}"


def _sagemaker(arn: str) -> str:
    found = SAGEMAKER.fullmatch(arn)
    if not found or ":mlflow-tracking-server/" not in arn:
        return "Open it from SageMaker Studio."
    options = ["--tracking-server-name", found["name"], "--region", found["region"]]
    command = ["aws", "sagemaker", "create-presigned-mlflow-tracking-server-url", *options]
    how = "Open it from SageMaker Studio, or by the address that this prints:"
    return f"{how}{COMMAND}{shlex.join(command)}"
