"""A large artifact on its way through Jupyter: python tests/benchmarks/transport.py [GB]."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.lab import Lab, lab_server
from support.watch import Watch

PATH = "/api/2.0/mlflow-artifacts/artifacts/large.bin"
MB = 1_000_000


@contextmanager
def measured(lab: Lab, what: str, size: int) -> Iterator[None]:
    """Print what the block cost."""
    mlflow = psutil.Process(lab.mlflow.pid)
    before = mlflow.memory_info().rss
    began = time.monotonic()
    with Watch(lab) as watch:
        yield
    seconds = time.monotonic() - began
    answers = [1000 * each for each in watch.seconds]
    print(
        f"{what}: {size / MB:.0f} MB in {seconds:.1f} s ({size / MB / seconds:.0f} MB/s); "
        f"Jupyter's memory +{watch.growth / MB:.1f} MB, "
        f"MLflow's {(mlflow.memory_info().rss - before) / MB:+.0f} MB; "
        f"Jupyter's API answers in {statistics.median(answers):.0f} ms (median of "
        f"{len(answers)}), {max(answers):.0f} ms at most"
    )


def main(gigabytes: float) -> None:
    """Upload a sparse file, download it again."""
    size = int(gigabytes * 1000) * MB
    with tempfile.TemporaryDirectory() as folder, lab_server(Path(folder)) as lab:
        lab.wait_until("ready")
        large = Path(folder) / "large.bin"
        with large.open("wb") as file:
            file.truncate(size)
        with measured(lab, "upload", size), large.open("rb") as file:
            answer = lab.session.put(f"{lab.mlflow_url}{PATH}", data=file, timeout=600)
            answer.raise_for_status()
        with measured(lab, "download", size):
            answer = lab.session.get(f"{lab.mlflow_url}{PATH}", stream=True, timeout=600)
            received = sum(map(len, answer.iter_content(MB)))
        assert received == size


main(float(sys.argv[1]) if len(sys.argv) > 1 else 2)
