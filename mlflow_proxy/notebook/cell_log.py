"""Records what a cell logs to the dashboard's store."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

EVALUATION = ("mlflow.runType", "genai_evaluate")  # tag of a run of `mlflow.genai.evaluate`


@dataclass
class CellLog:
    """The runs that ended and the traces that were stored since the last cell, in order."""

    uri: str
    """The store's URI."""
    store: Any = None
    """The store, once a cell has used it."""
    when_run_ends: Callable[[Any], None] | None = None
    """Gets what MLflow knows of a run that this process has made and that has ended."""
    runs: dict[str, Any] = field(default_factory=dict)
    """What MLflow knows of each run, by its id."""
    traces: dict[str, Any] = field(default_factory=dict)
    """What MLflow knows of each trace, by its id."""
    evaluations: set[str] = field(default_factory=set)
    """Ids of the runs that are evaluations."""
    own_runs: set[str] = field(default_factory=set)
    """Ids of the runs that this process has made."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take_runs(self) -> dict[str, Any]:
        """Return the runs, and start with none."""
        with self._lock:
            taken, self.runs = self.runs, {}
        return taken

    def take_traces(self) -> dict[str, Any]:
        """Return the traces, and start with none."""
        with self._lock:
            taken, self.traces = self.traces, {}
        return taken

    def add_ended_run(self, info: Any) -> None:
        """Record a run that has ended."""
        with self._lock:
            self.runs[info.run_id] = info
        if info.run_id in self.own_runs and self.when_run_ends:
            self.when_run_ends(info)

    def add_trace(self, info: Any) -> None:
        """Record a trace that is stored."""
        with self._lock:
            self.traces[info.trace_id] = info

    def add_tags(self, run_id: str, tags: Iterable[tuple[str, str]]) -> None:
        """Record what the tags of a run, names and values, say of it."""
        if EVALUATION in tags:
            self.evaluations.add(run_id)


class RecordedStore:
    """A tracking store of MLflow that records in `log` what it is told.

    It is not a `RestStore`, even if `store` is one. MLflow's client prints the addresses of a
    `RestStore` below the cell, which are not those of the browser.
    """

    def __init__(self, store: Any, log: CellLog) -> None:
        self._store = store
        self._log = log
        log.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def create_run(self, *args: Any, **kwargs: Any) -> Any:
        """Record the run as one of this process."""
        run = self._store.create_run(*args, **kwargs)
        self._log.own_runs.add(run.info.run_id)
        self._log.add_tags(run.info.run_id, run.data.tags.items())
        return run

    def update_run_info(self, run_id: str, run_status: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the run if it has ended."""
        from mlflow.entities import RunStatus

        info = self._store.update_run_info(run_id, run_status, *args, **kwargs)
        if run_status is not None and RunStatus.is_terminated(run_status):
            self._log.add_ended_run(info)
        return info

    def set_tag(self, run_id: str, tag: Any) -> Any:
        """Record whether the run is an evaluation."""
        result = self._store.set_tag(run_id, tag)
        self._log.add_tags(run_id, [(tag.key, tag.value)])
        return result

    def log_batch(self, run_id: str, metrics: Any, params: Any, tags: Any) -> Any:
        """Record whether the run is an evaluation."""
        result = self._store.log_batch(run_id, metrics=metrics, params=params, tags=tags)
        self._log.add_tags(run_id, [(tag.key, tag.value) for tag in tags])
        return result

    def start_trace(self, trace_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the trace; despite its name, MLflow calls this when a trace is complete."""
        result = self._store.start_trace(trace_info, *args, **kwargs)
        self._log.add_trace(trace_info)
        return result
