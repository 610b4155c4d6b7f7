"""What Prometheus reads of MLflow at Jupyter's `/metrics`; docs/reference/metrics.md lists it.

Counters are counted as things happen. All else is read when `/metrics` is, so that a server that is
not scraped does nothing for it. No label has content of users: each has a few fixed values.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from . import __version__
from .reports import Repair, Stage
from .status import State

if TYPE_CHECKING:  # it has the counters
    from .life import Life

# A start on a warm machine takes 2 s, on a cold one 20 s; `start_timeout` is 120 s by default.
DURATIONS = (1, 2, 3, 5, 10, 20, 30, 60, 120, 300)  # seconds
START_REASONS = ("requested", "prestart", "crash", "repair", "replaced")
FAILURE_KINDS = (
    *("timeout", "crash", "interpreter", "repair"),
    *(repair.value for repair in Repair),
    *(stage.value for stage in Stage),
)
SOURCES = ("jupyter", "local")
STATUSES = ("2xx", "3xx", "4xx", "5xx", "aborted")


class Metrics:
    """The counters of one Jupyter server; each series exists from the start, as alerts need it."""

    def __init__(self) -> None:
        self.starts = _counter("starts", "Starts of MLflow, by what led to them", "reason")
        self.start_seconds = Histogram(
            "mlflow_proxy_start_duration_seconds",
            "Seconds from the start of MLflow until it is ready",
            registry=None,
            buckets=DURATIONS,
        )
        self.failures = _counter("start_failures", "Failed starts and repairs", "kind")
        requests = "Requests that were admitted, by the address they came through and their answer"
        self.requests = _counter("requests", requests, "source", "status")
        self.received = _counter("received_bytes", "Bytes of requests' bodies", "source")
        self.sent = _counter("sent_bytes", "Bytes of answers' bodies", "source")
        for reason in START_REASONS:
            self.starts.labels(reason)
        for kind in FAILURE_KINDS:
            self.failures.labels(kind)
        for source in SOURCES:
            self.received.labels(source)
            self.sent.labels(source)
            for status in STATUSES:
                self.requests.labels(source, status)

    def collect(self) -> Iterator[Metric]:
        """The counters."""
        counters = (self.starts, self.start_seconds, self.failures, self.requests)
        for each in (*counters, self.received, self.sent):
            yield from each.collect()


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"mlflow_proxy_{name}", text, labels, registry=None)


class Collector:
    """Reads the metrics of `life`, whose store is in the SQLite file `database`, if in any."""

    def __init__(self, life: "Life", database: Path | None) -> None:
        self._life = life
        self._database = database

    def describe(self) -> list[Metric]:
        """Return nothing, so that the registration reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics, as they are now."""
        status, last_use = self._life.status, self._life.last_use
        labels = ["version", "mlflow_version"]
        info = GaugeMetricFamily("mlflow_proxy_info", "Versions; the value is 1", labels=labels)
        info.add_metric([__version__, status.version or ""], 1)
        yield info
        state = GaugeMetricFamily("mlflow_proxy_state", "1 for MLflow's state", labels=["state"])
        for each in State:
            state.add_metric([each.value], each is status.state)
        yield state
        memory = GaugeMetricFamily(
            "mlflow_proxy_memory_bytes",
            "Memory (PSS) of MLflow itself and of the jobs and programs that it has started",
            labels=["part"],
        )
        pids, sizes = status.pids, status.memory_by_process()
        own = sum(size for pid, size in sizes.items() if pid in pids)
        memory.add_metric(["mlflow"], own)
        memory.add_metric(["jobs"], sum(sizes.values()) - own)
        yield memory
        processes = "MLflow processes; earlier ones complete their requests"
        yield GaugeMetricFamily("mlflow_proxy_processes", processes, len(pids))
        busy = "Whether one of MLflow's jobs runs or waits to run"
        yield GaugeMetricFamily("mlflow_proxy_busy", busy, last_use.is_busy)
        unused = "Seconds since the last use of MLflow while it is ready, else 0"
        seconds = last_use.seconds if status.state is State.READY else 0.0
        yield GaugeMetricFamily("mlflow_proxy_unused_seconds", unused, seconds)
        if self._database:
            size = "Size of the SQLite database with its journal"
            yield GaugeMetricFamily("mlflow_proxy_database_bytes", size, self._size_of_database())
        yield from self._life.metrics.collect()

    def _size_of_database(self) -> int:
        total = 0
        for suffix in ("", "-wal", "-journal"):
            with suppress(OSError):
                total += os.stat(f"{self._database}{suffix}").st_size
        return total
