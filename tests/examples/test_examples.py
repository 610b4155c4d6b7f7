"""The example notebooks run in the Lab; the API returns what they log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from support.lab import TOKEN, Lab
from support.processes import describe, processes_of

Executed = Callable[[str], Any]
NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "examples").glob("*.ipynb"))
A_WARNING = re.compile(r"\bWarning: |\bWARNING\b")


@pytest.fixture(scope="module")
def client(examples_lab: Lab) -> Iterator[MlflowClient]:
    """MLflow's client, configured as on another machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
        yield MlflowClient(examples_lab.mlflow_url)


def runs_of(client: MlflowClient, experiment: str) -> dict[str, Run]:
    """The finished runs of `experiment` by their names."""
    found = client.get_experiment_by_name(experiment)
    assert found, experiment
    runs = client.search_runs([found.experiment_id], "status = 'FINISHED'")
    return {run.info.run_name: run for run in runs}


def artifacts_of(client: MlflowClient, run: Run, folder: str | None = None) -> dict[str, int]:
    """The sizes in bytes of the files in `folder` of a run's artifacts, by their paths."""
    files = client.list_artifacts(run.info.run_id, folder)
    return {each.path: each.file_size for each in files if not each.is_dir}


def models_of(client: MlflowClient, experiment: str) -> dict[str, Any]:
    """The models that runs of `experiment` logged, by the ids of the runs."""
    found = client.get_experiment_by_name(experiment)
    models = client.search_logged_models([found.experiment_id])
    assert all(model.status == "READY" for model in models)
    return {model.source_run_id: model for model in models}


@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs_without_a_warning(executed: Executed, name: str) -> None:
    execution = executed(name)
    print(f"{name}: {execution.seconds:.1f} s")
    for printed in execution.printed:
        assert not A_WARNING.search(printed.stderr), printed.stderr


def test_scikit_learn_notebook_logs_runs_and_models(
    executed: Executed, client: MlflowClient
) -> None:
    executed("scikit-learn")
    runs = runs_of(client, "scikit-learn")
    assert set(runs) == {"logistic regression", "naive Bayes", "support vector machine"}
    classifiers = {run.data.params.pop("classifier"): run.data.params for run in runs.values()}
    assert classifiers == {
        "LogisticRegression": {"C": "0.1", "max_iter": "500"},
        "GaussianNB": {"var_smoothing": "1e-09"},
        "SVC": {"C": "0.05", "kernel": "linear"},
    }
    models = models_of(client, "scikit-learn")
    for run in runs.values():
        assert set(run.data.metrics) == {"accuracy", "accuracy_std", "f1_macro", "fit_seconds"}
        assert 0.9 < run.data.metrics["accuracy"] <= 1
        assert [each.dataset.name for each in run.inputs.dataset_inputs] == ["wine"]
        files = artifacts_of(client, run)
        assert set(files) == {
            "confusion_matrix.png",
            "predictions.csv",
            "report.html",
            "report.txt",
        }
        assert min(files.values()) > 300
        assert models.pop(run.info.run_id).name == "model"
    assert not models


def test_pytorch_notebook_logs_metrics_and_checkpoints(
    executed: Executed, client: MlflowClient
) -> None:
    executed("pytorch")
    runs = runs_of(client, "pytorch")
    assert len(runs) == 6
    choices = {
        (run.data.params["learning_rate"], run.data.params["channels"]) for run in runs.values()
    }
    assert len(choices) == 6
    for run in runs.values():
        for metric in ("train_loss", "test_loss", "accuracy"):
            history = client.get_metric_history(run.info.run_id, metric)
            assert [each.step for each in history] == list(range(1, 21))
            # Written at the end of each epoch, not all after training.
            assert len({each.timestamp for each in history}) > 10
        for metric in ("cpu_utilization_percentage", "system_memory_usage_megabytes"):
            assert client.get_metric_history(run.info.run_id, f"system/{metric}")
        files = artifacts_of(client, run, "checkpoints")
        assert set(files) == {"checkpoints/epoch-10.pt", "checkpoints/epoch-20.pt"}
    assert max(run.data.metrics["accuracy"] for run in runs.values()) > 0.9


def test_tensorflow_notebook_logs_metrics_and_models(
    executed: Executed, client: MlflowClient
) -> None:
    executed("tensorflow")
    runs = runs_of(client, "tensorflow")
    assert len(runs) == 3
    models = models_of(client, "tensorflow")
    for run in runs.values():
        assert run.data.params["opt_name"].startswith("adam")
        assert run.data.params["channels"] in {"8", "16"}
        for metric in ("loss", "accuracy", "val_loss", "val_accuracy"):
            history = client.get_metric_history(run.info.run_id, metric)
            assert [each.step for each in history] == list(range(10))
        files = artifacts_of(client, run, "checkpoints")
        assert "checkpoints/latest_checkpoint.weights.h5" in files
        assert models.pop(run.info.run_id).name == "network"
    assert not models


def test_registry_notebook_registers_versions_and_champion(
    executed: Executed, client: MlflowClient
) -> None:
    executed("registry-and-deployment")
    runs = runs_of(client, "registry-and-deployment")
    versions = client.search_model_versions("name = 'wine-cultivar'")
    assert {each.version: each.status for each in versions} == {"1": "READY", "2": "READY"}
    assert {each.run_id for each in versions} == {run.info.run_id for run in runs.values()}
    champion = client.get_model_version_by_alias("wine-cultivar", "champion")
    accuracies = {run.info.run_id: run.data.metrics["accuracy"] for run in runs.values()}
    assert accuracies[champion.run_id] == max(accuracies.values()) > min(accuracies.values())


def test_deployment_notebook_serves_the_model_and_ends_the_server(
    executed: Executed, examples_lab: Lab
) -> None:
    printed = "".join(each.stdout for each in executed("registry-and-deployment").printed)
    assert re.search(rf"{examples_lab.url}/proxy/\d+/invocations answered", printed)
    assert TOKEN not in printed
    assert not servers_of_models(examples_lab)


def servers_of_models(lab: Lab) -> list[str]:
    """The command lines of the processes of `lab` that serve a model."""
    found = [describe(process) for process in processes_of(lab.home)]
    return [each for each in found if "models serve" in each or "scoring_server" in each]


def test_traces_notebook_logs_traces_and_feedback(executed: Executed, client: MlflowClient) -> None:
    executed("traces")
    experiment = client.get_experiment_by_name("traces").experiment_id
    traces = client.search_traces(locations=[experiment], order_by=["timestamp_ms ASC"])
    assert len(traces) == 3
    for trace in traces:
        assert trace.info.state == "OK"
        root, *others = trace.data.spans
        assert root.name == "answer"
        assert [span.name for span in others] == ["retrieve", "check", "generate"]
        assert {span.parent_id for span in others} == {root.span_id}
    feedback = [
        {each.name: each.feedback.value for each in trace.info.assessments} for trace in traces
    ]
    assert [set(each) for each in feedback] == [{"words"}, {"words"}, {"words", "correct"}]
    assert feedback[-1]["correct"] is True
