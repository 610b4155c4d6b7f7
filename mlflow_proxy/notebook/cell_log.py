"""Records what a cell logs to the dashboard's store."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RUN_TYPE = "mlflow.runType"  # tag of a run, and its value for `mlflow.genai.evaluate`
EVALUATION = "genai_evaluate"


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
    experiments: dict[str, str] = field(default_factory=dict)
    """The names of experiments that cells have used, by their ids."""
    evaluations: set[str] = field(default_factory=set)
    """Ids of the runs that are evaluations."""
    _own_runs: set[str] = field(default_factory=set)
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

    def add_tag(self, run_id: str, tag: Any) -> None:
        """Record a tag of a run."""
        if (tag.key, tag.value) == (RUN_TYPE, EVALUATION):
            self.evaluations.add(run_id)

    def add_made_run(self, run: Any) -> None:
        """Record a run that has begun."""
        self._own_runs.add(run.info.run_id)
        if run.data.tags.get(RUN_TYPE) == EVALUATION:
            self.evaluations.add(run.info.run_id)

    def add_ended_run(self, info: Any) -> None:
        """Record a run that has ended."""
        with self._lock:
            self.runs[info.run_id] = info
        if info.run_id in self._own_runs and self.when_run_ends:
            self.when_run_ends(info)

    def add_trace(self, info: Any) -> None:
        """Record a trace that is stored."""
        with self._lock:
            self.traces[info.trace_id] = info


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
        self._log.add_made_run(run)
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
        self._log.add_tag(run_id, tag)
        return result

    def log_batch(self, run_id: str, metrics: Any, params: Any, tags: Any) -> Any:
        """Record whether the run is an evaluation."""
        result = self._store.log_batch(run_id, metrics=metrics, params=params, tags=tags)
        for tag in tags:
            self._log.add_tag(run_id, tag)
        return result

    def get_experiment(self, *args: Any, **kwargs: Any) -> Any:
        """Record the experiment's name."""
        return self._with_name(self._store.get_experiment(*args, **kwargs))

    def get_experiment_by_name(self, *args: Any, **kwargs: Any) -> Any:
        """Record the experiment's name."""
        return self._with_name(self._store.get_experiment_by_name(*args, **kwargs))

    def _with_name(self, experiment: Any) -> Any:
        if experiment is not None:
            self._log.experiments[experiment.experiment_id] = experiment.name
        return experiment

    def start_trace(self, trace_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Record the trace; despite its name, MLflow calls this when a trace is complete."""
        result = self._store.start_trace(trace_info, *args, **kwargs)
        self._log.add_trace(trace_info)
        return result
