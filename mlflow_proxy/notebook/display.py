"""Shows below a cell what it has logged: links to its runs and evaluations, and its traces.

MLflow's client does so with a tracking server, whose address it knows. The Jupyter server extension
gives kernels the dashboard's address in the browser.

A cell pays for what it did, and no store delays it: `RecordedStore` has recorded what is shown.
What has to be asked for or waited for is bounded by `MAX_WAIT`. A trace that comes later is shown
where a text stood in its place.
"""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape, unescape
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from mlflow_proxy.addresses import FRAMES, TRACE_PAGE

from .own_store import CellLog, take

MAX_WAIT = 0.25  # seconds that a cell waits for its traces and for the names of its experiments
MAX_LATE = 120.0  # seconds within which a trace is shown that is stored later
POLL = 0.005  # seconds
POLL_LATE = 0.5  # seconds
MAX_RUNS = 20  # links to runs below a cell
MAX_COMPARED = 100  # runs in a link that compares them; the page asks for each by itself
# The dashboard's mode for a link, also if the user has chosen the other: each has pages of its own.
TRAINING, GENAI = "workflowType=machine_learning", "workflowType=genai"
SOURCE_RUN = "mlflow.sourceRun"  # metadata of a trace: the run in which it was made
LATE = "A trace is not stored yet. It is shown here once it is."

LINK = re.compile(r'<a href="([^"]*)"[^>]*>(.*?)</a>')
MARKUP = re.compile(r"<style>.*?</style>|<[^>]*>", re.DOTALL)


@dataclass
class Display:
    """Shows what `log` records; `address` is the dashboard's."""

    address: str
    log: CellLog
    _names: dict[str, str] = field(default_factory=dict)
    """The names of experiments, by their ids."""
    _last_trace: str | None = None
    _late: threading.Thread | None = field(default=None, repr=False)

    def register(self, shell: Any) -> None:
        """Have IPython call this after each cell, and for each trace that a cell ends with."""
        shell.events.register("post_run_cell", self.after_cell)
        bundles = shell.display_formatter.mimebundle_formatter
        bundles.for_type_by_name("mlflow.entities.trace", "Trace", self.bundle_of_trace)

    def after_cell(self, _result: object) -> None:
        import mlflow

        if not hasattr(mlflow, "get_last_active_trace_id"):  # its import has failed
            return
        until = time.monotonic() + MAX_WAIT
        traced = self._last_trace != (last := mlflow.get_last_active_trace_id())
        self._last_trace = last
        is_stored = not (traced and self._is_current()) or _wait_for_traces(until)
        self._show_runs(take(self.log.runs), until)
        traces = self._traces_of_mlflow()  # in any case, else MLflow's client shows them
        if traced or not (self._late and self._late.is_alive()):  # which shows an earlier cell's
            self._show_traces({**take(self.log.traces), **traces}, is_stored)

    def _show_runs(self, runs: dict[str, Any], until: float) -> None:
        """Show a line for each experiment, with links to the first of its `runs`."""
        from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT

        if not runs or MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get():
            return
        by_experiment: dict[str, list[Any]] = {}
        for run in runs.values():
            by_experiment.setdefault(run.experiment_id, []).append(run)
        lines, left = [], MAX_RUNS
        shown = dict(list(by_experiment.items())[:MAX_RUNS])
        self._ask_for_names(shown, until)
        for experiment, its_runs in shown.items():
            lines.append(self._line(experiment, its_runs, max(left, 1)))
            left -= len(its_runs)
        if more := len(by_experiment) - len(shown):
            lines.append(_link(f"{self.address}/", f"{more} more experiments"))
        _display("\n".join(f"<div>{line}</div>" for line in lines))

    def _ask_for_names(self, experiments: Iterable[str], until: float) -> None:
        """Ask the store for the names of experiments that no cell has shown."""
        unknown = [each for each in experiments if each not in self._names]

        def ask() -> None:
            with contextlib.suppress(Exception):  # e.g. the store was deleted meanwhile
                for each in unknown:
                    self._names[each] = self.log.store.get_experiment(each).name

        if unknown:
            _in_background(ask).join(max(0.0, until - time.monotonic()))

    def _line(self, experiment: str, runs: list[Any], limit: int) -> str:
        """What is shown of the `runs` of one experiment; at most `limit` of them by name."""
        base = f"{self.address}/#/experiments/{quote(experiment)}"
        name = self._names.get(experiment, f"experiment {experiment}")
        where = f"in experiment {_link(f'{base}/runs?{TRAINING}', name)}"
        links = [self._run_link(base, run) for run in runs[:limit]]
        if len(runs) == 1:
            kind = "Evaluation" if runs[0].run_id in self.log.evaluations else "Run"
            return f"{kind} {links[0]} {where}"
        if more := len(runs) - len(links):
            links.append(_link(f"{base}/runs?{TRAINING}", f"{more} more"))
        compare = self._compare_link(experiment, [run.run_id for run in runs])
        return f"{len(runs)} runs {where} ({compare}): {', '.join(links)}"

    def _run_link(self, base: str, run: Any) -> str:
        url = f"{base}/runs/{quote(run.run_id)}?{TRAINING}"
        if run.run_id in self.log.evaluations:
            url = f"{base}/evaluation-runs?selectedRunUuid={quote(run.run_id)}&{GENAI}"
        return _link(url, run.run_name or run.run_id)

    def _compare_link(self, experiment: str, runs: list[str]) -> str:
        compared = runs[:MAX_COMPARED]
        query = urlencode({"runs": json.dumps(compared), "experiments": json.dumps([experiment])})
        text = "compare these" if len(compared) == len(runs) else f"compare {MAX_COMPARED} of them"
        return _link(f"{self.address}/#/compare-runs?{query}&{TRAINING}", text)

    def _show_traces(self, recorded: dict[str, Any], is_stored: bool) -> None:
        """Show the traces that are `recorded`; if not all are stored, all of them later."""
        if is_stored:
            if html := self._traces_html(recorded):
                _display(html)
            return
        handle = _display(f"<div>{LATE}</div>")

        def show_later() -> None:
            _wait_for_traces(time.monotonic() + MAX_LATE, POLL_LATE)
            late = {**self._traces_of_mlflow(), **take(self.log.traces)}
            handle.update(_bundle(self._traces_html({**recorded, **late})), raw=True)

        self._late = _in_background(show_later)

    def _traces_html(self, traces: dict[str, Any]) -> str:
        """A frame with `traces`; empty if none of them is to be shown."""
        from mlflow.environment_variables import MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK
        from mlflow.tracing.display import get_display_handler

        # MLflow's client sends them from several threads.
        ordered = sorted(traces.values(), key=lambda trace: trace.request_time)
        evaluations, limit = self.log.evaluations, MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK.get()
        own = [each for each in ordered if each.trace_metadata.get(SOURCE_RUN) not in evaluations]
        shown = {each.trace_id: each.experiment_id for each in own[:limit]}
        return self._frame(shown) if shown and not get_display_handler().disabled else ""

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

    def bundle_of_trace(self, trace: Any) -> Any:
        """The MIME bundle of a trace that is displayed, in place of MLflow's own."""
        from mlflow.tracing.display import get_display_handler

        if get_display_handler().disabled or not self._is_current():
            return trace._repr_mimebundle_()
        self.log.traces.pop(trace.info.trace_id, None)
        html = self._frame({trace.info.trace_id: trace.info.experiment_id})
        return {**trace._repr_mimebundle_(), "text/html": html}

    def _frame(self, traces: dict[str, str]) -> str:
        """Shows traces, given the experiment of each."""
        import mlflow

        # The version, so that the browser caches each release's page.
        ids = {"trace_id": traces.keys(), "experiment_id": traces.values()}
        query = urlencode({**ids, "version": mlflow.__version__}, doseq=True)
        url = f"{self.address}{TRACE_PAGE}?{query}"
        what = next(iter(traces)) if len(traces) == 1 else f"{len(traces)} traces"
        # Where frames are forbidden, the browser would show an error in its place.
        if os.environ.get(FRAMES) != "true":
            return f"<div>View {_link(url, what)}</div>"
        html = files(__package__).joinpath("trace.html").read_text("utf-8")
        return html.replace("{url}", escape(url)).replace("{what}", escape(what))


def _wait_for_traces(until: float, pause: float = POLL) -> bool:
    """Have MLflow store the traces that have ended; returns whether it has, in time.

    `mlflow.flush_trace_async_logging` would end and replace the threads that store them, which
    takes two seconds, also if there is none to store.
    """
    from mlflow.tracing.provider import _get_trace_exporter, provider

    # Since MLflow 3.13, spans are exported together, every five seconds.
    flush = getattr(provider.get(), "force_flush", None)
    exporter = _get_trace_exporter()
    tasks = getattr(getattr(exporter, "_async_queue", None), "_queue", None)
    if flush:
        flushing = _in_background(flush)
        flushing.join(max(0.0, until - time.monotonic()))
        if flushing.is_alive():
            return False
    while tasks is not None and tasks.unfinished_tasks:
        if time.monotonic() > until:
            return False
        time.sleep(pause)
    return True


def _in_background(function: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}" target="_blank">{escape(text)}</a>'


def _bundle(html: str) -> dict[str, str]:
    """`html`, and its text for what cannot show HTML."""
    text = MARKUP.sub("", LINK.sub(r"\2 (\1)", html)).strip()
    return {"text/html": html, "text/plain": unescape(text)}


def _display(html: str) -> Any:
    from IPython.display import display

    return display(_bundle(html), raw=True, display_id=True)  # type: ignore[no-untyped-call]
