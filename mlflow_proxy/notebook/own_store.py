"""Opens the dashboard's store for MLflow's client in this process, and records what a cell logs.

MLflow has a public entry point for stores, `mlflow.tracking_store`. But it also replaces the stores
of every `mlflow server` of the environment. The registry that MLflow's client asks has no public
name.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlflow_proxy import sqlite_files
from mlflow_proxy.stores import SQLite, Store

EVALUATION = ("mlflow.runType", "genai_evaluate")  # tag of a run of `mlflow.genai.evaluate`

Build = Callable[..., Any]


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
        run = self._store.create_run(*args, **kwargs)
        self._log.own_runs.add(run.info.run_id)
        return run

    def update_run_info(self, run_id: str, run_status: Any, *args: Any, **kwargs: Any) -> Any:
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


def register(own: str, log: CellLog | None) -> None:
    """Have MLflow's client open the store `own` by this module, and record in `log` what it logs.

    Any other store remains as it would be without this package.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry as registry
    from mlflow.utils.uri import get_uri_scheme

    own_scheme = get_uri_scheme(own)  # "postgresql" for each of its drivers
    for scheme in {own_scheme, *DATABASE_ENGINES}:
        with contextlib.suppress(MlflowException):  # mlflow-skinny knows no database
            build = registry.get_store_builder(own if scheme == own_scheme else f"{scheme}://")
            registry.register(scheme, _builder(build, own, log))


def _builder(build: Build, own: str, log: CellLog | None) -> Build:
    from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH

    def build_store(store_uri: str, artifact_uri: str | None = None, **options: Any) -> Any:
        store = Store.parse(store_uri)
        if store_uri == own:
            if isinstance(store, SQLite):
                # Atomically: the MLflow process or another kernel may create it as well.
                sqlite_files.ensure(
                    store.path,
                    lambda uri: build(store_uri=uri, artifact_uri=artifact_uri).engine.dispose(),
                    report=lambda _step: None,
                )
            opened = build(store_uri=store_uri, artifact_uri=artifact_uri, **options)
            return RecordedStore(opened, log) if log else opened
        if not store.is_remote:
            # The environment has the root of the dashboard's store, whose experiments have the same
            # numbers.
            artifact_uri = artifact_uri or str(DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH)
        return build(store_uri=store_uri, artifact_uri=artifact_uri, **options)

    return build_store
