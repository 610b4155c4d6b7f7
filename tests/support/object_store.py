"""A server on this machine that speaks S3."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from .processes import environment, free_ports, running
from .waiting import wait_for

KEY_ID, SECRET_KEY = "the-key-id-of-the-tests", "the-secret-key-of-the-tests"


@contextmanager
def object_store(home: Path, bucket: str) -> Iterator[dict[str, str]]:
    """Run it with an empty `bucket`; yields the variables by which boto3 and MLflow find it."""
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]

    def has_bucket() -> bool:
        try:
            return requests.put(f"{url}/{bucket}", timeout=5).ok
        except requests.ConnectionError:
            return False

    with running(command, cwd=home, env=environment(home), log=home / "log"):
        wait_for(has_bucket, 60, f"the object store does not answer, see {home}/log")
        yield {
            "MLFLOW_S3_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
