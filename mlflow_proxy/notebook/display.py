"""Shows a link to the run that ended in a cell, and the trace that the cell made, below it.

MLflow's client does both itself with a tracking server. With a store that it opens directly, as
kernels do here, it has no address to link to. The Jupyter server extension gives kernels that
address, and MLflow loads this module as a plugin, so that notebooks need not import it.
"""

import os
import sys
from html import escape
from importlib.resources import files
from urllib.parse import quote, urlencode

from mlflow.tracking.context.abstract_context import RunContextProvider

from mlflow_proxy.shared.addresses import DASHBOARD_URL, FRAMES, TRACE_PAGE


class NotebookDisplay(RunContextProvider):  # type: ignore[misc] # mypy does not follow MLflow
    """Shows what a cell has logged (entry point `mlflow.run_context_provider`).

    MLflow creates one when it is imported and asks it for tags whenever a run is created. It has no
    tags; the question shows that there will be a run to display.
    """

    def __init__(self) -> None:
        self._address = os.environ.get(DASHBOARD_URL, "").rstrip("/")
        # Jupyter's value; `mlflow.set_tracking_uri` changes the environment as well.
        self._store = os.environ.get("MLFLOW_TRACKING_URI")
        self._run_is_due = False
        self._trace_id: str | None = None
        ipython = sys.modules.get("IPython")
        if self._address and self._store and ipython and (shell := ipython.get_ipython()):
            shell.events.register("post_run_cell", self._show)

    def in_context(self) -> bool:
        """Return False: it has no tags for the run that is being created."""
        self._run_is_due = True
        return False

    def tags(self) -> dict[str, str]:
        """No tags."""
        return {}

    def _show(self, _result: object) -> None:
        import mlflow  # noqa: PLC0415 (this module is imported while `mlflow` is)
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        if mlflow.get_tracking_uri() != self._store:  # the address belongs to another store
            return
        try:
            self._show_run()
            self._show_trace()
        except MlflowException:  # e.g. the run was deleted
            return

    def _show_run(self) -> None:
        import mlflow  # noqa: PLC0415
        from mlflow.environment_variables import (  # noqa: PLC0415
            MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
        )

        if not self._run_is_due or mlflow.active_run():
            return
        self._run_is_due = False
        run = mlflow.last_active_run()
        if run is None or MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get():
            return
        experiment = mlflow.get_experiment(run.info.experiment_id).name
        runs_url = f"{self._address}/#/experiments/{quote(run.info.experiment_id)}/runs"
        run_url = f"{runs_url}/{quote(run.info.run_id)}"
        _display(
            "run.html",
            f"🏃 View run {run.info.run_name} at: {run_url}\n"
            f"🧪 View experiment {experiment} at: {runs_url}",
            run=run.info.run_name,
            run_url=run_url,
            experiment=experiment,
            experiment_url=runs_url,
        )

    def _show_trace(self) -> None:
        import mlflow  # noqa: PLC0415
        from mlflow.environment_variables import (  # noqa: PLC0415
            MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK,
        )
        from mlflow.tracing.display import get_display_handler  # noqa: PLC0415

        trace_id = mlflow.get_last_active_trace_id()
        if trace_id == self._trace_id:
            return
        self._trace_id = trace_id
        if get_display_handler().disabled or not MLFLOW_MAX_TRACES_TO_DISPLAY_IN_NOTEBOOK.get():
            return
        mlflow.flush_trace_async_logging()
        trace = mlflow.get_trace(trace_id, silent=True)
        if trace is None:  # e.g. not sampled
            return
        query = urlencode(
            {
                "trace_id": trace_id,
                "experiment_id": trace.info.experiment_id,
                "version": mlflow.__version__,  # so that the browser caches each release's page
            }
        )
        url = f"{self._address}{TRACE_PAGE}?{query}"
        # Where frames are forbidden, the browser would show an error in its place.
        template = "trace.html" if os.environ.get(FRAMES) == "true" else "trace_link.html"
        _display(template, f"Trace {trace_id} at: {url}", url=url, trace_id=trace_id)


def _display(template: str, text: str, **values: str) -> None:
    from IPython.display import display  # noqa: PLC0415

    html = files(__package__).joinpath(template).read_text("utf-8")
    shown = html.format_map({name: escape(value) for name, value in values.items()})
    display({"text/html": shown, "text/plain": text}, raw=True)  # type: ignore[no-untyped-call]
