"""A server that speaks S3, on a loopback port."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from .processes import free_ports, running
from .waiting import wait_for

KEY_ID, SECRET = "AKIAHUNTER2ID", "hunter2-secret/key"
BUCKET = "team-bucket"


@dataclass(frozen=True)
class S3:
    """A running server with the bucket `BUCKET`."""

    url: str

    @property
    def variables(self) -> dict[str, str]:
        """What MLflow and boto3 need to use it, credentials included."""
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_S3_ENDPOINT_URL": self.url,
        }

    def keys(self) -> str:
        """The names of all objects in the bucket, as XML."""
        return requests.get(f"{self.url}/{BUCKET}?list-type=2", timeout=10).text


@contextmanager
def s3_server(home: Path) -> Iterator[S3]:
    """Run the server."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", f"--port={port}"]
    url = f"http://127.0.0.1:{port}"

    def has_bucket() -> bool:
        try:
            return requests.put(f"{url}/{BUCKET}", timeout=5).ok
        except requests.ConnectionError:
            return False

    with running(command, cwd=home, env=os.environ, log=home / "s3.log"):
        wait_for(has_bucket, 60, f"the S3 server does not answer, see {home}/s3.log")
        yield S3(url)
