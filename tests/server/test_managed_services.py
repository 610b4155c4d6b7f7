"""The page of a hosted MLflow says whose dashboard it is."""

from __future__ import annotations

import pytest

from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.store.settings import check_store
from mlflow_proxy.stores import Store


@pytest.mark.parametrize(
    ("uri", "service"),
    [
        ("databricks", "Databricks"),
        ("databricks-uc://profile", "Databricks"),
        ("uc:https://unity.example", "Unity Catalog"),
        ("azureml://westeurope.api.azureml.ms/x", "Azure Machine Learning"),
        (
            "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/mine",
            "Amazon SageMaker",
        ),
    ],
)
def test_it_names_the_service(uri: str, service: str) -> None:
    with pytest.raises(StartError) as caught:
        check_store("backend_store_uri", Store.parse(uri))
    failure = caught.value.failure
    assert f"The runs of {uri} are kept by {service}, which has" in failure.reason
    assert failure.remedy == "Open it there. Notebooks log to it all the same."


def test_no_password_is_shown() -> None:
    with pytest.raises(StartError) as caught:
        check_store("backend_store_uri", Store.parse("uc:https://me:secret@unity.example"))
    assert "secret" not in str(caught.value)
