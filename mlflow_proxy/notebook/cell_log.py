"""Records what a cell logs to the dashboard's store."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class CellLog:
    """The runs that ended and the traces that were made since the last cell, in order."""

    uri: str
    """The store's URI."""
    store: Any = None
    """The store, once a cell has used it."""
    runs: dict[str, None] = field(default_factory=dict)
    """Ids of the runs."""
    traces: dict[str, Any] = field(default_factory=dict)
    """What MLflow knows of each trace, by its id."""

    def take(self) -> tuple[list[str], dict[str, Any]]:
        """Return the runs and traces, and start with none."""
        taken = list(self.runs), self.traces
        self.runs, self.traces = {}, {}
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

    def update_run_info(self, run_id: str, run_status: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the run if it has ended."""
        from mlflow.entities import RunStatus

        result = self._store.update_run_info(run_id, run_status, *args, **kwargs)
        if run_status is not None and RunStatus.is_terminated(run_status):
            self._log.runs[run_id] = None
        return result

    def start_trace(self, trace_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the trace; despite its name, MLflow calls this when a trace is complete."""
        result = self._store.start_trace(trace_info, *args, **kwargs)
        self._log.traces[trace_info.trace_id] = trace_info
        return result
