"""In which of MLflow's two modes a page starts, unless the user has chosen one.

MLflow's own default is GenAI, whose pages have traces but no table of runs. Those of model training
have both, so they are the default where the store does not have more traces than training runs:
also where it is empty, because a page that is open shows either kind as soon as it is logged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy

TIMEOUT = 0.3  # seconds that a page waits for the answer
RUN_TYPE = "mlflow.runType"  # tag of the runs of GenAI: evaluations, detection of issues, tests
MAX_COUNTED = 200  # runs and traces of a database, because it is asked for each page
ACTIVE = "active"

_logger = logging.getLogger(__name__)


class Mode(Enum):
    """The modes, in MLflow's words."""

    GENAI = "genai"
    TRAINING = "machine_learning"


def choose_mode(training_runs: int, traces: int) -> Mode:
    """The mode for a store with so many training runs and traces."""
    return Mode.GENAI if traces > training_runs else Mode.TRAINING


def count(engine: "sqlalchemy.Engine") -> tuple[int, int]:
    """How many training runs and traces are among the first `MAX_COUNTED` of all runs and traces.

    A training run has a metric or a parameter. What is deleted does not count. All workspaces count
    together: the page chooses one later.

    Raises:
        Exception: any exception of the driver.
    """
    from sqlalchemy import func, select

    queries = [select(func.count()).select_from(each) for each in (_training_runs(), _traces())]
    with engine.connect() as connection:
        training_runs, traces = (connection.execute(each).scalar_one() for each in queries)
    return training_runs, traces


def _training_runs() -> "sqlalchemy.Subquery":
    from sqlalchemy import exists, or_, select

    runs = _table("runs", "run_uuid", "lifecycle_stage")
    active = select(runs.c.run_uuid).where(runs.c.lifecycle_stage == ACTIVE)
    sample = active.limit(MAX_COUNTED).subquery("active_runs")
    metrics, params, tags = (
        _table(name, "run_uuid", "key") for name in ("latest_metrics", "params", "tags")
    )
    logged = (exists().where(each.c.run_uuid == sample.c.run_uuid) for each in (metrics, params))
    typed = exists().where(tags.c.run_uuid == sample.c.run_uuid, tags.c.key == RUN_TYPE)
    return select(sample.c.run_uuid).where(or_(*logged), ~typed).subquery("training_runs")


def _table(name: str, *columns: str) -> "sqlalchemy.TableClause":
    """A table of MLflow's with these columns, for queries."""
    import sqlalchemy

    return sqlalchemy.table(name, *(sqlalchemy.column(column) for column in columns))


def _traces() -> "sqlalchemy.Subquery":
    from sqlalchemy import select

    experiments = _table("experiments", "experiment_id", "lifecycle_stage")
    traces = _table("trace_info", "request_id", "experiment_id")
    return (
        select(traces.c.request_id)
        .join_from(traces, experiments, traces.c.experiment_id == experiments.c.experiment_id)
        .where(experiments.c.lifecycle_stage == ACTIVE)
        .limit(MAX_COUNTED)
        .subquery("traces")
    )


class CurrentMode:
    """The mode for what the store has now, by `find`, which may raise anything.

    A page waits `timeout` seconds at most. While the store does not answer, the mode is that of the
    last answer, and `find` is not called a second time.
    """

    def __init__(
        self, find: Callable[[], Awaitable[Mode | None]], timeout: float = TIMEOUT
    ) -> None:
        self._find = find
        self._timeout = timeout
        self._finding: asyncio.Task[None] | None = None
        self._last: Mode | None = None

    async def __call__(self) -> Mode | None:
        """The mode; None if it is not known, so that MLflow's default counts."""
        if self._finding is None or self._finding.done():
            self._finding = asyncio.create_task(self._update())
        await asyncio.wait({self._finding}, timeout=self._timeout)
        return self._last

    async def _update(self) -> None:
        try:
            self._last = await self._find()
        except Exception as error:  # a driver's or the network's; the page does not depend on it
            _logger.debug("The dashboard's mode is not known: %s", type(error).__name__)
