"""MLflow's client on another machine: logs, and reads what a kernel logged.

python remote_client.py URI_OF_A_KERNELS_MODEL

Prints all locations that MLflow returns, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient


def triple(model_input: list[float]) -> list[float]:
    """The model."""
    return [3 * each for each in model_input]


def main(kernels_model: str) -> None:
    """Log and read."""
    client = MlflowClient()
    experiment = mlflow.set_experiment("from another machine")
    folder = Path("local")
    folder.mkdir()
    (folder / "ä b.txt").write_text("from afar")
    with mlflow.start_run() as run:
        mlflow.log_artifacts("local", "files")
        logged = mlflow.pyfunc.log_model(
            name="triple", python_model=triple, pip_requirements=["mlflow"]
        )
        mlflow.register_model(logged.model_uri, "triple")
    with mlflow.start_span("traced") as span:
        span.set_inputs({"a": 1})
    mlflow.flush_trace_async_logging()

    # As clients did before logged models existed.
    client.create_registered_model("files")
    source = f"{run.info.artifact_uri}/files"
    version = client.create_model_version("files", source, run.info.run_id)

    assert mlflow.pyfunc.load_model(kernels_model).predict([1.0]) == [2.0]
    kernels_version = client.get_model_version_by_alias("double", "champion")
    kernels_run = client.get_run(kernels_version.run_id)
    (found,) = client.search_model_versions(f"source_path = '{source}'")
    assert found.run_id == run.info.run_id
    assert (
        mlflow.artifacts.load_text(f"{kernels_run.info.artifact_uri}/note.txt") == "from a kernel"
    )
    trace = mlflow.get_trace(span.trace_id)
    places = [
        experiment.artifact_location,
        run.info.artifact_uri,
        client.get_logged_model(logged.model_id).artifact_location,
        version.source,
        client.get_model_version_download_uri("files", "1"),
        client.get_model_version_download_uri("triple", "1"),
        trace.info.tags["mlflow.artifactLocation"],
        kernels_run.info.artifact_uri,
        client.get_experiment(kernels_run.info.experiment_id).artifact_location,
        client.get_model_version_download_uri("double", "1"),
    ]
    print(json.dumps(places))


if __name__ == "__main__":
    main(*sys.argv[1:])
