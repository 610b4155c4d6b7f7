"""Logged and registered models, model versions, and prompts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from tracking import ODD, TIME


def logged_models(client: MlflowClient, rest: Any, recorder: Any) -> None:
    experiment = client.create_experiment("conformance models")
    run = client.create_run(experiment, TIME, run_name="models").info.run_id
    models = [
        client.create_logged_model(experiment, f"model{n}", run, {"n": str(n)}, {"depth": str(n)})
        for n in range(3)
    ]
    first = models[0].model_id
    client.log_model_params(first, {"odd": ODD})
    client.set_logged_model_tags(first, {"odd": ODD, "a b/c": "1"})
    client.delete_logged_model_tag(first, "odd")
    client.log_metric(run, "accuracy", 0.5, TIME, 1, model_id=first)
    Path("part ä.txt").write_text(ODD, encoding="utf-8")
    client.log_model_artifact(first, "part ä.txt")
    client.list_logged_model_artifacts(first)
    path = f"/ajax-api/2.0/mlflow/logged-models/{first}/artifacts/files"
    rest("GET", path, params={"artifact_file_path": "part ä.txt"})
    rest("GET", path, params={"artifact_file_path": "../none"})
    for each in models:
        client.finalize_logged_model(each.model_id, "READY")
    client.get_logged_model(first)
    page = client.search_logged_models([experiment], max_results=2)
    client.search_logged_models([experiment], max_results=2, page_token=page.token)
    client.search_logged_models([experiment], "params.depth = '1'")
    client.search_logged_models(
        [experiment], order_by=[{"field_name": "metrics.accuracy", "ascending": False}]
    )
    client.delete_logged_model(models[1].model_id)
    for wrong in (models[1].model_id, "m-" + "0" * 32, "nonsense"):
        with suppress(MlflowException):
            client.get_logged_model(wrong)
    with suppress(MlflowException):
        client.create_logged_model(experiment, "a/b")


def pyfunc_model(client: MlflowClient, rest: Any, recorder: Any) -> None:
    mlflow.set_experiment("conformance pyfunc")

    def double(model_input: list[float]) -> list[float]:
        return [2 * each for each in model_input]

    with recorder.in_any_order(), mlflow.start_run(run_name="pyfunc"):
        logged = mlflow.pyfunc.log_model(
            name="double",
            python_model=double,
            pip_requirements=["mlflow"],
            registered_model_name="conformance.double",
        )
    with recorder.in_any_order():
        for uri in (logged.model_uri, "models:/conformance.double/1"):
            assert mlflow.pyfunc.load_model(uri).predict([1.0, 2.5]) == [2.0, 5.0]


def model_versions(client: MlflowClient, rest: Any, recorder: Any) -> None:
    name = "conformance ä 日本"
    experiment = client.create_experiment("conformance registry")
    info = client.create_run(experiment, TIME, run_name="registry").info
    client.create_registered_model(name, {"odd": ODD}, ODD)
    for number in range(3):
        source = f"{info.artifact_uri}/model ä"
        client.create_model_version(name, source, info.run_id, {"n": str(number)})
    client.set_registered_model_tag(name, "odd", ODD)
    client.set_model_version_tag(name, "1", "odd", ODD)
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "champion", "2")
    client.get_model_version_by_alias(name, "champion")
    client.get_model_version_download_uri(name, "1")
    client.update_model_version(name, "1", "new " + ODD)
    client.update_registered_model(name, "new " + ODD)
    client.get_model_version(name, "1")
    client.get_registered_model(name)
    with suppress(AttributeError):
        client.get_latest_versions(name)
    page = client.search_model_versions(f"name = '{name}'", max_results=2)
    client.search_model_versions(f"name = '{name}'", max_results=2, page_token=page.token)
    client.search_model_versions(f"run_id = '{info.run_id}' AND tags.n = '1'")
    client.search_model_versions(f"source_path = '{info.artifact_uri}/model ä'")
    client.search_model_versions(f"source_path LIKE '{info.artifact_uri}/%'")
    client.search_registered_models("name LIKE 'conformance ä%'", order_by=["name DESC"])
    client.delete_registered_model_alias(name, "champion")
    client.delete_model_version_tag(name, "1", "odd")
    client.delete_registered_model_tag(name, "odd")
    client.copy_model_version(f"models:/{name}/1", "conformance copy")
    client.delete_model_version(name, "1")
    client.rename_registered_model(name, "conformance renamed")
    client.delete_registered_model("conformance renamed")
    for source in (
        "mlflow-artifacts:/0/x",
        f"mlflow-artifacts:/{experiment}/../../etc",
        f"{info.artifact_uri}/../../..",
        f"{info.artifact_uri}/%2e%2e/%2e%2e",
        info.artifact_uri.replace("mlflow-artifacts:", "mlflow-artifacts://other.example"),
        info.artifact_uri.replace(info.run_id, "0" * 32),
        "/etc",
        "file:///etc",
        "s3://bucket/model",
        "models:/none/1",
    ):
        for run in ({}, {"run_id": info.run_id}):
            body = {"name": "conformance copy", "source": source, **run}
            answer = rest.post("model-versions/create", body)
            if "model_version" in answer:
                query = {"name": "conformance copy", "version": answer["model_version"]["version"]}
                rest("GET", "/api/2.0/mlflow/model-versions/get-download-uri", params=query)
                rest("GET", "/model-versions/get-artifact", params={**query, "path": "MLmodel"})
    for wrong in ("none", "", "a" * 300):
        rest("GET", "/api/2.0/mlflow/registered-models/get", params={"name": wrong})
        rest.post("registered-models/create", {"name": wrong} if wrong != "none" else {})
    with suppress(MlflowException):
        client.set_registered_model_alias("conformance copy", "v1", "1")
    with suppress(MlflowException):
        client.get_model_version_by_alias("conformance copy", "none")


def prompts(client: MlflowClient, rest: Any, recorder: Any) -> None:
    mlflow.set_experiment("Default")
    name = "conformance_prompt"
    with recorder.in_any_order():
        client.register_prompt(name, "Hello {{name}}", commit_message="ä", tags={"a": ODD})
    with recorder.in_any_order():
        client.register_prompt(name, f"Bye {{{{name}}}} {ODD}")
    with recorder.in_any_order():
        client.load_prompt(name, version=1)
    client.set_prompt_alias(name, "live", 2)
    with recorder.in_any_order():
        client.load_prompt(f"prompts:/{name}@live")
    client.delete_prompt_alias(name, "live")
    client.set_prompt_tag(name, "odd", ODD)
    client.delete_prompt_tag(name, "odd")
    client.set_prompt_version_tag(name, "1", "odd", ODD)
    client.delete_prompt_version_tag(name, "1", "odd")
    client.search_prompts(filter_string=f"name = '{name}'")
    with suppress(MlflowException):
        client.search_prompt_versions(name)
    client.delete_prompt_version(name, "2")
    with recorder.in_any_order(), suppress(MlflowException):
        client.load_prompt(name, version=9)
    with suppress(MlflowException):
        client.register_prompt("a b/ä", "x")


def webhooks(client: MlflowClient, rest: Any, recorder: Any) -> None:
    hook = client.create_webhook(
        "conformance", "https://1.1.1.1/a?b=ä", ["model_version.created"], description=ODD
    )
    client.get_webhook(hook.webhook_id)
    client.list_webhooks()
    client.update_webhook(hook.webhook_id, status="DISABLED")
    client.delete_webhook(hook.webhook_id)
    with suppress(MlflowException):
        client.get_webhook(hook.webhook_id)
    with suppress(MlflowException):
        client.create_webhook("conformance", "ftp://1.1.1.1", ["model_version.created"])


FAMILIES = {
    "logged models": logged_models,
    "a model logged, registered, loaded": pyfunc_model,
    "model registry": model_versions,
    "prompts": prompts,
    "webhooks": webhooks,
}
