"""MLflow's client outside a hub: uses the store of a user's server, or says why it cannot.

python hub_client.py URI TOKEN [URI TOKEN]...

Prints a JSON list with what became of each address: "ok", or MLflow's message.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def use_everything() -> None:
    """Track, upload, download, register."""
    client = MlflowClient()
    mlflow.set_experiment("from outside the hub")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "up").mkdir()
        (folder / "up" / "ä b.txt").write_text("of a client")
        with mlflow.start_run(run_name="of a client") as run:
            mlflow.log_param("depth", 3)
            mlflow.log_metrics({"loss": 0.25, "accuracy": 0.75})
            mlflow.log_artifacts(str(folder / "up"), "files")
        assert client.get_run(run.info.run_id).data.metrics["loss"] == 0.25
        client.create_registered_model("of a client")
        source = f"{run.info.artifact_uri}/files"
        version = client.create_model_version("of a client", source, run.info.run_id)
        client.set_registered_model_alias("of a client", "champion", version.version)
        for uri in (f"runs:/{run.info.run_id}/files", "models:/of a client@champion"):
            down = Path(mlflow.artifacts.download_artifacts(uri, dst_path=name))
            assert (down / "ä b.txt").read_text() == "of a client", uri


def outcome(uri: str, token: str, is_first: bool) -> str:
    """Use the store at `uri` as the owner of `token`; returns "ok" or MLflow's message."""
    os.environ["MLFLOW_TRACKING_TOKEN"] = token
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        if is_first:
            use_everything()
        else:
            MlflowClient().get_experiment_by_name("Default")  # a GET
            MlflowClient().search_experiments()  # a POST
    except MlflowException as error:
        return str(error)
    return "ok"


def main(*arguments: str) -> None:
    """Use all addresses."""
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    print(json.dumps([outcome(*pair, number == 0) for number, pair in enumerate(pairs)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
