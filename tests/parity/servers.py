"""A plain `mlflow server` and a Lab with the tile, on copies of one store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from genai_interactions import MODEL_SERVER_PORT

from support.judged_store import JudgedStore, run_in_store
from support.lab import lab_server
from support.model_server import model_server
from support.tracking_server import tracking_server

LOG_EVERYTHING = Path(__file__).parents[1] / "resources" / "log_everything.py"
# What both servers allow: jobs, as this package has them, and to reach the model server.
ALLOWED = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
    "MLFLOW_SERVER_JOB_EXECUTION_ENGINE": "executor",
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
}


@contextmanager
def both(folder: Path) -> Iterator[tuple[list[tuple[str, str]], dict[str, str]]]:
    """Run both servers; yields their names with addresses, and ids of what the store holds."""
    artifacts = folder / "mlartifacts"
    with ExitStack() as stack:
        model = stack.enter_context(model_server(MODEL_SERVER_PORT))
        store = JudgedStore(folder, model.url)
        ids = log_everything(store.database)
        ids["judged"] = store.made["experiment_id"]
        for name in ("plain", "lab", "work"):
            (folder / name).mkdir()
        store.copy_to(folder / "plain")
        store.copy_to(folder / "work")
        allowed = {**model.variables, **ALLOWED}
        root = ("--default-artifact-root", str(artifacts))
        plain = stack.enter_context(tracking_server(folder / "plain", *root, env=allowed))
        config = f"c.MLflowProxy.default_artifact_root = {str(artifacts)!r}"
        lab = stack.enter_context(
            lab_server(
                folder / "lab", config=config, root=folder / "work", program="server", env=allowed
            )
        )
        lab.wait_until("ready")
        yield [("tile", lab.mlflow_url), ("plain", plain.url)], ids


def log_everything(database: Path) -> dict[str, str]:
    """Log one item of each kind; returns ids, as they stand in addresses."""
    content = run_in_store(database, LOG_EVERYTHING)
    return {
        "experiment": content["experiment"],
        "run": content["runs"][0],
        "runs": json.dumps(content["runs"], separators=(",", ":")).replace('"', "%22"),
        "trace": content["trace"],
    }
