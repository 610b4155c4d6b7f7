"""Shows below a cell what it has logged: links to its runs and evaluations, and its traces.

MLflow's client does so with a tracking server, whose address it knows. The Jupyter server extension
gives kernels the dashboard's address in the browser.
"""

import os
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from mlflow_proxy.addresses import FRAMES, TRACE_PAGE

from .cell_log import CellLog

MAX_RUNS = 20  # links below a cell
RUN_TYPE = "mlflow.runType"  # tag of a run, and its value for `mlflow.genai.evaluate`
EVALUATION = "genai_evaluate"
# The dashboard's mode for a link, also if the user has chosen the other: each has pages of its own.
TRAINING, GENAI = "workflowType=machine_learning", "workflowType=genai"
SOURCE_RUN = "mlflow.sourceRun"  # metadata of a trace: the run in which it was made


@dataclass
class Display:
    """Shows what `log` records; `address` is the dashboard's."""

    address: str
    log: CellLog

    def register(self, shell: Any) -> None:
        """Have IPython call this after each cell, and for each trace that a cell ends with."""
        shell.events.register("post_run_cell", self.after_cell)
        bundles = shell.display_formatter.mimebundle_formatter
        bundles.for_type_by_name("mlflow.entities.trace", "Trace", self.bundle_of_trace)

    def after_cell(self, _result: object) -> None:
        """Show what the cell has logged."""
        if self.log.store is None:  # nothing was logged so far
            return
        import mlflow
        from mlflow.exceptions import MlflowException

        mlflow.flush_trace_async_logging()
        runs, traces = self.log.take()
        try:
            evaluations = self._show_runs(runs)
            shown = {
                trace_id: info.experiment_id
                for trace_id, info in _in_order({**traces, **self._traces_of_mlflow()})
                if info.trace_metadata.get(SOURCE_RUN) not in evaluations
            }
            self._show_traces(shown)
        except MlflowException:  # e.g. the store was deleted meanwhile
            return

    def _show_runs(self, run_ids: list[str]) -> set[str]:
        """Show links to the runs; returns those that are evaluations."""
        from mlflow.environment_variables import (
            MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
        )

        runs = [self.log.store.get_run(run_id) for run_id in run_ids]
        evaluations = {run.info.run_id for run in runs if run.data.tags.get(RUN_TYPE) == EVALUATION}
        if MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get():
            return evaluations
        shown = [self._link(run, run.info.run_id in evaluations) for run in runs[:MAX_RUNS]]
        if more := len(runs) - MAX_RUNS if len(runs) > MAX_RUNS else 0:
            shown.append((_html("more.html", count=str(more)), f"… and {more} more runs"))
        if shown:
            htmls, texts = zip(*shown, strict=True)
            _display("\n".join(htmls), "\n".join(texts))
        return evaluations

    def _link(self, run: Any, is_evaluation: bool) -> tuple[str, str]:
        """HTML and text that lead to `run`."""
        experiment = self.log.store.get_experiment(run.info.experiment_id).name
        experiment_url = f"{self.address}/#/experiments/{quote(run.info.experiment_id)}"
        runs_url = f"{experiment_url}/runs?{TRAINING}"
        run_url = f"{experiment_url}/runs/{quote(run.info.run_id)}?{TRAINING}"
        if is_evaluation:
            selected = f"selectedRunUuid={quote(run.info.run_id)}"
            run_url = f"{experiment_url}/evaluation-runs?{selected}&{GENAI}"
        html = _html(
            "evaluation.html" if is_evaluation else "run.html",
            run=run.info.run_name or run.info.run_id,
            run_url=run_url,
            experiment=experiment,
            experiment_url=runs_url,
        )
        what = "📊 View evaluation" if is_evaluation else "🏃 View run"
        return html, (
            f"{what} {run.info.run_name} at: {run_url}\n"
            f"🧪 View experiment {experiment} at: {runs_url}"
        )

    def _traces_of_mlflow(self) -> dict[str, Any]:
        """The traces that MLflow's client would show, with an address that no browser knows."""
        from mlflow.tracing.display import get_display_handler

        if not self._is_current():
            return {}
        handler = get_display_handler()
        traces, handler.traces_to_display = handler.traces_to_display, {}
        return {trace_id: trace.info for trace_id, trace in traces.items()}

    def _is_current(self) -> bool:
        """Whether MLflow's client uses the dashboard's store at present."""
        import mlflow

        return bool(mlflow.get_tracking_uri() == self.log.uri)

    def _show_traces(self, traces: dict[str, str]) -> None:
        """Show traces, given the experiment of each."""
        from mlflow.environment_variables import (
            MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK,
        )
        from mlflow.tracing.display import get_display_handler

        shown = dict(list(traces.items())[: MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK.get()])
        if shown and not get_display_handler().disabled:
            _display(*self._frame(shown))

    def bundle_of_trace(self, trace: Any) -> Any:
        """The MIME bundle of a trace that is displayed, in place of MLflow's own."""
        from mlflow.tracing.display import get_display_handler

        if get_display_handler().disabled or not self._is_current():
            return trace._repr_mimebundle_()
        self.log.traces.pop(trace.info.trace_id, None)
        html, _ = self._frame({trace.info.trace_id: trace.info.experiment_id})
        return {**trace._repr_mimebundle_(), "text/html": html}

    def _frame(self, traces: dict[str, str]) -> tuple[str, str]:
        """HTML and text that show traces, given the experiment of each."""
        import mlflow

        # The version, so that the browser caches each release's page.
        fields = [
            field
            for pair in traces.items()
            for field in zip(("trace_id", "experiment_id"), pair, strict=True)
        ]
        url = f"{self.address}{TRACE_PAGE}?{urlencode([*fields, ('version', mlflow.__version__)])}"
        what = next(iter(traces)) if len(traces) == 1 else f"{len(traces)} traces"
        # Where frames are forbidden, the browser would show an error in its place.
        template = "trace.html" if os.environ.get(FRAMES) == "true" else "trace_link.html"
        return _html(template, url=url, traces=what), f"Trace {', '.join(traces)} at: {url}"


def _in_order(traces: dict[str, Any]) -> list[tuple[str, Any]]:
    """The traces by time: MLflow's client sends them from several threads."""
    return sorted(traces.items(), key=lambda trace: trace[1].request_time)


def _html(template: str, **values: str) -> str:
    html = files(__package__).joinpath(template).read_text("utf-8")
    return html.format_map({name: escape(value) for name, value in values.items()})


def _display(html: str, text: str) -> None:
    from IPython.display import display

    display({"text/html": html, "text/plain": text}, raw=True)  # type: ignore[no-untyped-call]
