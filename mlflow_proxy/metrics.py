"""What Prometheus reads of MLflow at Jupyter's `/metrics`; docs/reference/metrics.md lists it.

Counters are counted as things happen. All else is read when `/metrics` is, so that a server that is
not scraped does nothing for it. No label has content of users: each has a few fixed values.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from .reports import Stage
from .status import LastUse, State, Status

DURATIONS = (1, 2, 3, 5, 10, 20, 30, 60, 120, 300)  # seconds of a start
START_REASONS = ("requested", "prestart", "crash", "upgrade", "replaced")
FAILURE_KINDS = (
    *("timeout", "crash", "interpreter", "upgrade", "failed_upgrade"),
    *(stage.value for stage in Stage),
)
SOURCES = ("jupyter", "local")
STATUSES = ("2xx", "3xx", "4xx", "5xx", "aborted")


class Metrics:
    """The counters of one Jupyter server, and a collector of all its metrics."""

    database: Path | None = None
    """The SQLite file of MLflow's store, if it is in one."""

    def __init__(self, status: Status, last_use: LastUse) -> None:
        self._status, self._last_use = status, last_use
        self._version = version("jupyter-mlflow-proxy")
        self.starts = _counter(
            "starts", "Starts of MLflow by what led to them", reason=START_REASONS
        )
        self.start_seconds = Histogram(
            "mlflow_proxy_start_duration_seconds",
            "Seconds from the start of MLflow until it is ready",
            registry=None,
            buckets=DURATIONS,
        )
        self.failures = _counter("start_failures", "Failed starts, upgrades", kind=FAILURE_KINDS)
        told = "Requests that Jupyter let in, by the address they came through and their answer"
        self.requests = _counter("requests", told, source=SOURCES, status=STATUSES)
        self.received = _counter("received_bytes", "Bytes of requests' bodies", source=SOURCES)
        self.sent = _counter("sent_bytes", "Bytes of answers' bodies", source=SOURCES)

    def describe(self) -> list[Metric]:
        """Return nothing, so that the registration reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        status, last_use = self._status, self._last_use
        versions = {"version": self._version, "mlflow_version": status.version or ""}
        yield InfoMetricFamily("mlflow_proxy", "1, with the versions", versions)
        states = {each.value: float(each is status.state) for each in State}
        yield _gauge("state", "1 for MLflow's state, 0 for the others", "state", states)
        sizes = status.memory_by_process()
        own = sum(size for pid, size in sizes.items() if pid in status.pids)
        parts = {"mlflow": own, "jobs": sum(sizes.values()) - own}
        yield _gauge("memory_bytes", "PSS of MLflow, and of what it has started", "part", parts)
        busy = "Whether one of MLflow's jobs runs or waits to run"
        yield GaugeMetricFamily("mlflow_proxy_busy", busy, last_use.is_busy)
        unused = "Seconds since the last use of MLflow while it is ready, else 0"
        seconds = last_use.seconds if status.state is State.READY else 0.0
        yield GaugeMetricFamily("mlflow_proxy_unused_seconds", unused, seconds)
        if self.database:
            size = self.database.stat().st_size if self.database.exists() else 0
            yield GaugeMetricFamily("mlflow_proxy_database_bytes", "Size of the file", size)
        counters = (self.starts, self.start_seconds, self.failures, self.requests)
        for each in (*counters, self.received, self.sent):
            yield from each.collect()


def _counter(name: str, text: str, **labels: Iterable[str]) -> Counter:
    """A counter whose series all exist from the start, so that an alert sees the first increase."""
    counter = Counter(f"mlflow_proxy_{name}", text, [*labels], registry=None)
    for values in itertools.product(*labels.values()):
        counter.labels(*values)
    return counter


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(f"mlflow_proxy_{name}", text, labels=[label])
    for value, number in values.items():
        gauge.add_metric([value], number)
    return gauge
