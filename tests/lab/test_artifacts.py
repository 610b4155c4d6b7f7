"""MLflow's client and large artifacts through Jupyter."""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
from collections.abc import Iterator

from support.lab import TOKEN, Lab
from support.watch import watch_of

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
MB = 1_000_000
SIZE = 300 * MB  # jupyter-server-proxy fails from 100 MiB
PIECE = bytes(range(250)) * 4000  # 1 MB
DELETE = """
from mlflow import MlflowClient
client = MlflowClient()
run = client.create_run("0")
source = {"source": f"{run.info.artifact_uri}/model", "run_id": run.info.run_id}
client.create_registered_model("model")
client.create_model_version("model", **source)
client.create_model_version("model", **source)
client.set_registered_model_tag("model", "tag", "1")
client.set_model_version_tag("model", "1", "tag", "1")
client.set_registered_model_alias("model", "alias", "1")

client.delete_registered_model_alias("model", "alias")
client.delete_model_version_tag("model", "1", "tag")
client.delete_registered_model_tag("model", "tag")
client.delete_model_version("model", "1")
model = client.get_registered_model("model")
assert (model.aliases, model.tags) == ({}, {}), model
(version,) = client.search_model_versions("name = 'model'")
assert str(version.version) == "2", version
client.delete_registered_model("model")
assert not client.search_registered_models("name = 'model'")
client.set_tag(run.info.run_id, "tag", "1")
client.delete_tag(run.info.run_id, "tag")
assert "tag" not in client.get_run(run.info.run_id).data.tags
"""


class Large:
    """`SIZE` bytes; all pieces differ."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def __len__(self) -> int:
        return SIZE

    def __iter__(self) -> Iterator[bytes]:
        for number in range(SIZE // MB):
            piece = number.to_bytes(8, "big") + PIECE[8:]
            self.sha256.update(piece)
            yield piece


def test_mlflows_client_deletes_through_jupyter(lab: Lab) -> None:
    env = {**lab.env, "MLFLOW_TRACKING_URI": lab.mlflow_url, "MLFLOW_TRACKING_TOKEN": TOKEN}
    client = subprocess.run(
        [sys.executable, "-c", DELETE], env=env, capture_output=True, text=True, check=False
    )
    assert client.returncode == 0, client.stderr


def test_large_artifacts_do_not_block_jupyter_or_grow_its_memory(lab: Lab) -> None:
    sent, received = Large(), hashlib.sha256()
    url = f"{lab.mlflow_url}{ARTIFACTS}/large.bin"
    with watch_of(lab) as watch:
        lab.session.put(url, data=sent, timeout=300).raise_for_status()
        with lab.session.get(url, stream=True, timeout=300) as answer:
            answer.raise_for_status()
            for piece in answer.iter_content(MB):
                received.update(piece)
    assert received.digest() == sent.sha256.digest()
    assert (lab.root / "mlartifacts" / "large.bin").stat().st_size == SIZE
    assert watch.growth < 64 * MB
    # The median, because other load on the machine may delay single responses.
    assert statistics.median(watch.seconds) < 0.1


def test_head_range_and_etag_requests_are_supported(lab: Lab) -> None:
    path = "/static-files/index.html"
    whole = lab.get(path)
    only_head = lab.session.head(f"{lab.mlflow_url}{path}", timeout=30)
    assert only_head.headers["Content-Length"] == str(len(whole.content))
    assert only_head.content == b""
    part = lab.get(path, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole.content[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(whole.content)}"
    same = lab.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
