"""Dataset inputs of runs, and evaluation datasets."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import mlflow
import pandas
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from tracking import ODD, TIME


def dataset_inputs(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment = client.create_experiment("conformance inputs")
    run = client.create_run(experiment, TIME, run_name="inputs").info.run_id
    frame = pandas.DataFrame({"x": [1, 2, 3], "ä": ["a", "b", "c"]})
    data = mlflow.data.from_pandas(frame, source="https://data.example/a b.csv", name="ä far")
    uri = {"uri": f"mlflow-artifacts:/{experiment}/ä.csv"}
    near = Dataset("ä near", "1234", "mlflow_artifact", json.dumps(uri), ODD, ODD)
    tags = [InputTag("mlflow.data.context", "training")]
    inputs = [DatasetInput(each, tags) for each in (data._to_mlflow_entity(), near)]
    client.log_inputs(run, inputs)
    client.get_run(run)
    client.search_runs([experiment], "datasets.context = 'training'")
    client.search_runs([experiment], "datasets.name LIKE 'ä%'")
    body = {"experiment_ids": [experiment]}
    rest("POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", json=body)
    rest.post("runs/log-inputs", {"run_id": run, "datasets": [{"tags": []}]})


def evaluation_datasets(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment = client.create_experiment("conformance datasets")
    datasets = [client.create_dataset(f"ä {n}", [experiment], {"n": str(n)}) for n in range(3)]
    first = datasets[0]
    records = [{"inputs": {"question": ODD, "n": n}, "expectations": {"n": n}} for n in range(1)]
    first.merge_records(records)
    print(first.records)
    client.get_dataset(first.dataset_id)
    page = client.search_datasets([experiment], max_results=2, order_by=["name DESC"])
    client.search_datasets([experiment], max_results=2, page_token=page.token)
    client.search_datasets([experiment], "name = 'ä 1'")
    client.set_dataset_tags(first.dataset_id, {"odd": ODD})
    client.delete_dataset_tag(first.dataset_id, "odd")
    client.delete_dataset(datasets[1].dataset_id)
    with suppress(MlflowException):
        client.get_dataset(datasets[1].dataset_id)


FAMILIES = {
    "dataset inputs": dataset_inputs,
    "evaluation datasets": evaluation_datasets,
}
