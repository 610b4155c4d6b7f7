"""The page of a hosted MLflow says whose dashboard it is and how to open it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflow_proxy.server.errors import StartError
from mlflow_proxy.server.store import managed_services
from mlflow_proxy.server.store.settings import check_store_uri

AZURE = (
    "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/1-2/resourceGroups/my-group"
    "/providers/Microsoft.MachineLearningServices/workspaces/mine"
)
SAGEMAKER = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/mine"
PROFILES = (
    "[DEFAULT]\nhost = https://first.example\n[other]\nhost = second.example/\n[bad]\nhost = %\n"
)


@pytest.mark.parametrize(
    ("uri", "variables", "said"),
    [
        ("databricks", {"DATABRICKS_HOST": "https://my.example/"}, "https://my.example/ml/exp"),
        ("databricks", {"DATABRICKS_HOST": "my.example"}, "Open https://my.example/ml/experiments"),
        ("databricks", {}, "Open https://first.example/ml/experiments"),
        ("databricks", {"DATABRICKS_CONFIG_PROFILE": "other"}, "https://second.example/ml/exp"),
        ("databricks-uc", {}, "Open https://first.example/ml/experiments"),
        ("databricks://other", {"DATABRICKS_HOST": "my.example"}, "https://second.example/ml/exp"),
        ("databricks-uc://other", {}, "Open https://second.example/ml/experiments"),
        ("databricks://bad", {}, "Open the workspace in the browser."),
        ("databricks://scope:key", {"DATABRICKS_HOST": "javascript:x"}, "Open the workspace"),
        ("uc:https://unity.example", {}, "kept by Unity Catalog"),
        (AZURE, {}, "wsid=/subscriptions/1-2/resourceGroups/my-group/workspaces/mine\n"),
        ("azureml://elsewhere", {}, "Open https://ml.azure.com\n"),
        (SAGEMAKER, {}, "--tracking-server-name mine --region eu-west-1\n"),
        ("arn:aws:sagemaker:eu-west-1:1:mlflow-app/x", {}, "from SageMaker Studio."),
    ],
)
def test_it_names_the_service_and_the_way(
    tmp_path: Path, uri: str, variables: dict[str, str], said: str
) -> None:
    profiles = tmp_path / "profiles"
    profiles.write_text(PROFILES)
    named = {"DATABRICKS_CONFIG_FILE": str(profiles), **variables}
    failure = managed_services.explain(uri, named).failure
    assert said in f"{failure.reason} {failure.remedy}"
    assert failure.remedy.endswith("Notebooks log to it all the same.")


def test_the_start_fails_with_it_and_no_password() -> None:
    with pytest.raises(StartError, match="kept by Databricks"):
        check_store_uri("backend_store_uri", "databricks")
    with pytest.raises(StartError) as error:
        check_store_uri("backend_store_uri", "uc:https://me:secret@unity.example")
    assert "secret" not in str(error.value)
