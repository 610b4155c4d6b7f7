"""Calls for artifacts, with unusual names and folders."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking.client import MlflowClient
from tracking import ODD, TIME

NAMES = [
    "a b.txt",
    "ä 日本 𝄞.txt",
    "100%.txt",
    "%41%2F%00.txt",
    "a+b&c=d;e,f.txt",
    "hash#tag?query=1.txt",
    "quote\"'`<b>.html",
    "[x]{y}~^|$!@(z)*.txt",
    "back\\slash.txt",
    " spaces around ",
    ".hidden",
    "dots...",
    "empty.bin",
    "table.csv",
    "page.html",
    "picture.svg",
    "data.json",
    "script.js",
    "notes.md",
    "archive.tar.gz",
    "no_extension",
    "model.yaml",
    "line\nbreak.txt",
    "n" * 200,
]
UNSAFE = ["../x", "a/../../x", "/etc/passwd", "..%2F..%2Fx", "%2e%2e/x", "a/./b", "", "a//b", "\0"]
ROOT = "/api/2.0/mlflow-artifacts/artifacts"


def names(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment = client.create_experiment("conformance artifacts")
    run = client.create_run(experiment, TIME, run_name="artifacts").info
    Path("named").mkdir()
    for name in NAMES:
        path = Path("named", name)
        path.write_bytes(b"" if name == "empty.bin" else f"[{ODD!r}]".encode())
        with suppress(MlflowException, OSError):
            client.log_artifact(run.run_id, str(path))
        with suppress(MlflowException, OSError):
            client.download_artifacts(run.run_id, name)
        rest("GET", "/get-artifact", params={"run_id": run.run_id, "path": name})
    client.list_artifacts(run.run_id)


def folders(client: MlflowClient, rest: Any, recorder: Any) -> None:
    experiment = client.create_experiment(
        "conformance folders", "mlflow-artifacts:/ä place/of mine"
    )
    run = client.create_run(experiment, TIME, run_name="folders").info
    for folder in ("a b", "ä 日本/100%/c#d?e", "deep/" * 20):
        path = Path("tree", folder)
        path.mkdir(parents=True)
        (path / "file ä.txt").write_text(ODD, encoding="utf-8")
    with recorder.in_any_order():
        client.log_artifacts(run.run_id, "tree", "top level")
    for folder in (None, "top level", "top level/ä 日本", "top level/ä 日本/100%", "none"):
        client.list_artifacts(run.run_id, folder)
    with recorder.in_any_order(), suppress(MlflowException):
        client.download_artifacts(run.run_id, "top level")
    client.log_text(run.run_id, ODD, "text/ä.txt")
    client.log_dict(run.run_id, {"ä": ODD}, "dict/ä.json")
    with suppress(AttributeError):
        client.log_stream(run.run_id, io.BytesIO(b"\0\1" * 100_000), "stream.bin")
    client.log_table(run.run_id, {"ä": [1, 2]}, "table.json")
    mlflow.artifacts.load_text(f"runs:/{run.run_id}/text/ä.txt")
    mlflow.artifacts.load_dict(f"{run.artifact_uri}/dict/ä.json")
    with suppress(MlflowException, OSError):
        client.download_artifacts(run.run_id, "none")
    repository = get_artifact_repository(run.artifact_uri)
    repository.delete_artifacts("text/ä.txt")
    repository.delete_artifacts("top level")
    repository.delete_artifacts("none")
    client.list_artifacts(run.run_id)
    client.list_artifacts(run.run_id, "text")


def dashboard_files(client: MlflowClient, rest: Any, recorder: Any) -> None:
    """Requests of the dashboard and of clients in other languages."""
    experiment = client.create_experiment("conformance uploads")
    run = client.create_run(experiment, TIME, run_name="uploads").info.run_id
    upload = "/ajax-api/2.0/mlflow/upload-artifact"
    for name in ("a b/ä.txt", "../x", ""):
        query = {"run_uuid": run, "path": name}
        rest("POST", upload, params=query, data=ODD.encode())
        rest("GET", "/get-artifact", params={"run_uuid": run, "path": name})
    rest("POST", upload, params={"run_uuid": run})
    rest("GET", "/get-artifact")
    for path in UNSAFE:
        query = {"run_id": run, "path": path}
        rest("GET", "/get-artifact", params=query)
        rest("GET", "/api/2.0/mlflow/artifacts/list", params=query)
        # Never list the whole store: the Lab's holds artifacts of other tests.
        rest("GET", ROOT, params={"path": path.strip("\0") or f"conformance{path}"})
        for method in ("PUT", "GET", "DELETE"):
            rest(method, f"{ROOT}/conformance/{path}", data=b"x" if method == "PUT" else None)
    text = f"{ROOT}/conformance/data.json"
    body = b'{"artifact_uri": "mlflow-artifacts:/x"}'
    rest("PUT", text, data=body, headers={"Content-Type": "application/json"})
    rest("GET", text)
    rest("GET", text, headers={"Range": "bytes=2-5"})
    rest("HEAD", text)
    for each in ("create", "complete", "abort"):
        mpu = {"path": "x", "num_parts": 1, "upload_id": "x", "parts": []}
        rest("POST", f"/api/2.0/mlflow-artifacts/mpu/{each}/conformance", json=mpu)
    rest("GET", "/api/2.0/mlflow-artifacts/presigned/conformance/data.json")
    rest("DELETE", text)


FAMILIES = {
    "artifact names": names,
    "artifact folders": folders,
    "artifacts, otherwise": dashboard_files,
}
