"""Experiments, runs, metrics, parameters and tags."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient

TIME = 1_600_000_000_000  # ms; the comparison treats any other time as the current time
ODD = "ä 日本 \"'\\\n\t%20+&=#?<b>𝄞"


def experiments(client: MlflowClient, rest: Any, _: Any) -> None:
    ids = [
        client.create_experiment(f"conformance {name}", tags={"number": str(number), "odd": ODD})
        for number, name in enumerate(("a", "b", "ä 日本 %20"))
    ]
    located = client.create_experiment("conformance at", "mlflow-artifacts:/own place/ä")
    client.get_experiment(located)
    client.get_experiment_by_name("conformance ä 日本 %20")
    token = None
    for _page in range(3):
        page = client.search_experiments(
            filter_string="name LIKE 'conformance%'", max_results=2, page_token=token
        )
        token = page.token
    client.search_experiments(
        filter_string="tags.number = '1' AND name ILIKE 'CONFORMANCE%'", order_by=["name DESC"]
    )
    client.set_experiment_tag(ids[0], "mlflow.note.content", ODD)
    client.rename_experiment(ids[0], "conformance renamed")
    client.delete_experiment(ids[1])
    client.search_experiments(ViewType.DELETED_ONLY, filter_string="name = 'conformance b'")
    client.restore_experiment(ids[1])
    client.get_experiment_by_name("conformance none")
    with suppress(MlflowException):
        client.create_experiment("conformance a b" * 100)
    with suppress(MlflowException):
        client.create_experiment("conformance b")
    with suppress(MlflowException):
        client.get_experiment("123456789")
    with suppress(MlflowException):
        client.search_experiments(filter_string="nothing = 'a'")
    for location in ("mlflow-artifacts:/a/../../..", "mlflow-artifacts:/a#b", "runs:/a"):
        with suppress(MlflowException):
            client.get_experiment(client.create_experiment(f"conformance {location}", location))
    with suppress(AttributeError):
        client.delete_experiment_tag(ids[0], "odd")


def runs(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment = client.create_experiment("conformance runs")
    parent = client.create_run(experiment, TIME - 1, {"odd": ODD}, "parent").info.run_id
    children = [
        client.create_run(experiment, TIME + n, {"mlflow.parentRunId": parent}, f"child {n}")
        for n in range(5)
    ]
    for number, child in enumerate(children):
        client.log_metric(child.info.run_id, "loss", 1 / (number + 1), TIME, number)
        client.log_param(child.info.run_id, "depth", number)
    first = children[0].info.run_id
    client.update_run(first, status="FAILED", name="ä 日本")
    client.set_terminated(first, "FINISHED", TIME + 10)
    client.get_run(first)
    client.get_parent_run(first)
    token, order = None, ["metrics.loss ASC", "params.depth DESC"]
    while True:
        page = client.search_runs([experiment], "metrics.loss > 0", 1, 2, order, token)
        if not (token := page.token):
            break
    for text in (
        f"tags.`mlflow.parentRunId` = '{parent}'",
        f"attributes.run_id IN ('{parent}', '{first}')",
        "params.depth = '3' AND attributes.status = 'RUNNING'",
        "attributes.run_name LIKE 'child%'",
        "attributes.start_time >= 1600000000002",
        "metrics.loss = 1e400",
        "params.depth = 'ä'",
    ):
        client.search_runs([experiment], text)
    client.delete_run(first)
    client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)
    client.restore_run(first)
    for wrong in ("metrics.loss > 'a'", "nothing", "params.depth > 1"):
        with suppress(MlflowException):
            client.search_runs([experiment], wrong)
    with suppress(MlflowException):
        client.search_runs([experiment], max_results=1_000_000)
    with suppress(MlflowException):
        client.get_run("0" * 32)
    with suppress(MlflowException):
        client.create_run("123456789", TIME)


def batches(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment = client.create_experiment("conformance batches")
    run = client.create_run(experiment, TIME, run_name="batches").info.run_id
    metrics = [Metric(f"metric/{n}", n / 7, TIME, n) for n in range(1000)]
    params = [Param(f"param {n}", ODD) for n in range(100)]
    tags = [RunTag(f"tag.{n}", ODD) for n in range(100)]
    client.log_batch(run, metrics)
    client.log_batch(run, params=params)
    client.log_batch(run, tags=tags)
    client.log_batch(run, metrics[:800], params, tags)
    client.log_batch(run)
    client.get_run(run)
    for count, kind in ((1001, "metrics"), (101, "params"), (101, "tags")):
        each = {"value": 1, "timestamp": TIME} if kind == "metrics" else {"value": "1"}
        entries = [{"key": str(n), **each} for n in range(count)]
        rest.post("runs/log-batch", {"run_id": run, kind: entries})
    entries = [{"key": str(n), "value": 1, "timestamp": TIME} for n in range(901)]
    more = [{"key": str(n), "value": "1"} for n in range(100)]
    rest.post("runs/log-batch", {"run_id": run, "metrics": entries, "params": more})
    for value in ("v" * 6000, "v" * 6001, "v" * 1_100_000):
        entry = {"key": f"long{len(value)}", "value": value}
        rest.post("runs/log-batch", {"run_id": run, "params": [entry]})
        rest.post("runs/log-batch", {"run_id": run, "tags": [entry]})
    rest.post("runs/log-batch", {"run_id": run, "metrics": [{"key": "x"}]})
    rest.post("runs/log-batch", {"run_id": run, "params": [{"key": "param 1", "value": "other"}]})
    rest.post("runs/log-batch", {"run_id": run, "metrics": [{"key": "k" * 251, "value": 1}]})


def metrics(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment = client.create_experiment("conformance metrics")
    run = client.create_run(experiment, TIME, run_name="metrics").info.run_id
    client.log_batch(run, [Metric("loss ä", 1 / (n + 1), TIME + n, n) for n in range(20)])
    for value in (float("nan"), float("inf"), float("-inf"), 1e308, -0.0, 5e-324):
        client.log_metric(run, "odd", value, TIME, -1)
    client.get_run(run)
    client.get_metric_history(run, "loss ä")
    client.get_metric_history(run, "odd")
    client.get_metric_history(run, "none")
    path = "/api/2.0/mlflow/metrics/get-history"
    query: dict[str, Any] = {"run_id": run, "metric_key": "loss ä", "max_results": 7}
    while query.get("page_token", "first"):
        answer = rest("GET", path, params=query).json()
        query["page_token"] = answer.get("next_page_token")
    for prefix in ("/api", "/ajax-api"):
        bulk = f"{prefix}/2.0/mlflow/metrics/get-history-bulk"
        rest("GET", bulk, params={"run_id": run, "metric_key": "loss ä"})
        rest("GET", bulk, params={"run_id": [run] * 101, "metric_key": "loss ä"})
        query = {"run_ids": [run], "metric_key": "loss ä", "start_step": 3, "end_step": 9}
        rest("GET", f"{bulk}-interval", params={**query, "max_results": 4})
        rest("GET", f"{bulk}-interval", params={**query, "start_step": 10})
        rest("GET", bulk)
    rest("GET", path, params={"run_id": run})
    rest("GET", path, params={"run_id": run, "metric_key": "loss ä", "page_token": "nonsense"})


def tags_and_params(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment = client.create_experiment("conformance tags")
    run = client.create_run(experiment, TIME, run_name="tags").info.run_id
    for key in ("plain", "with space", "a/b.c-d_e:f", "mlflow.note.content"):
        client.set_tag(run, key, ODD)
        client.log_param(run, key, ODD)
    client.set_tag(run, "plain", "again")
    client.set_tag(run, "empty", "")
    client.log_param(run, "uri", "mlflow-artifacts:/of/mine")
    client.set_tag(run, "json", '{"uri": "mlflow-artifacts:/of/mine", "ä": ["mlflow-artifacts:/"]}')
    client.get_run(run)
    client.delete_tag(run, "plain")
    with suppress(MlflowException):
        client.delete_tag(run, "plain")
    with suppress(MlflowException):
        client.log_param(run, "uri", "mlflow-artifacts:/of/yours")
    for key in ("ä", "a//b", "../a", "", "k" * 251):
        rest.post("runs/set-tag", {"run_id": run, "key": key, "value": "1"})
        rest.post("runs/log-parameter", {"run_id": run, "key": key, "value": "1"})
    client.get_run(run)


FAMILIES = {
    "experiments": experiments,
    "runs": runs,
    "batches": batches,
    "metrics": metrics,
    "tags and parameters": tags_and_params,
}
