"""The page of a hosted MLflow says whose dashboard it is and where."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.store.settings import check_store
from mlflow_proxy.stores import Store


@pytest.mark.parametrize(
    ("uri", "service", "where"),
    [
        ("databricks", "Databricks", "https://login.databricks.com"),
        ("databricks-uc://profile", "Databricks", "https://login.databricks.com"),
        ("uc:https://unity.example", "Unity Catalog", "in the browser."),
        ("azureml://westeurope.api.azureml.ms/x", "Azure Machine Learning", "https://ml.azure.com"),
        (
            "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/mine",
            "Amazon SageMaker",
            "https://console.aws.amazon.com/sagemaker",
        ),
    ],
)
def test_it_names_the_service_and_the_way(uri: str, service: str, where: str) -> None:
    with pytest.raises(StartError) as caught:
        check_store("backend_store_uri", Store.parse(uri))
    failure = caught.value.failure
    assert f"The runs of {uri} are kept by {service}, which has" in failure.reason
    assert failure.remedy.endswith(f"{where}\nNotebooks log to it all the same.")


def test_no_password_is_shown() -> None:
    with pytest.raises(StartError) as caught:
        check_store("backend_store_uri", Store.parse("uc:https://me:secret@unity.example"))
    assert "secret" not in str(caught.value)
