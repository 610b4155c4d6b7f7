"""Records what a cell logs to the dashboard's store."""

from collections.abc import Callable
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


def take(entries: dict[str, Any]) -> dict[str, Any]:
    """Empty `entries`, to which other threads may be adding; returns what they were."""
    taken = entries.copy()
    for key in taken:
        entries.pop(key, None)
    return taken


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
        return run

    def update_run_info(self, run_id: str, run_status: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the run if it has ended."""
        from mlflow.entities import RunStatus

        info = self._store.update_run_info(run_id, run_status, *args, **kwargs)
        if run_status is not None and RunStatus.is_terminated(run_status):
            self._log.runs[run_id] = info
            if run_id in self._log.own_runs and self._log.when_run_ends:
                self._log.when_run_ends(info)
        return info

    def set_tag(self, run_id: str, tag: Any) -> Any:
        """Record whether the run is an evaluation, which MLflow says in this way."""
        result = self._store.set_tag(run_id, tag)
        if (tag.key, tag.value) == EVALUATION:
            self._log.evaluations.add(run_id)
        return result

    def start_trace(self, trace_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the trace; despite its name, MLflow calls this when a trace is complete."""
        result = self._store.start_trace(trace_info, *args, **kwargs)
        self._log.traces[trace_info.trace_id] = trace_info
        return result
