"""What kinds of work a store has: training runs, traces. Asked for each page, so it must be quick.

Of a big store a part is counted. All workspaces count together: the page chooses one later.
"""

from typing import TYPE_CHECKING

from mlflow_proxy.server.mode import RUN_TYPE

if TYPE_CHECKING:
    import sqlalchemy

MAX_COUNTED = 200  # of each kind
ACTIVE = "active"


def count(engine: "sqlalchemy.Engine") -> tuple[int, int]:
    """How many training runs and traces are among the first `MAX_COUNTED` of all runs and traces.

    A training run has a metric or a parameter. What is deleted does not count.

    Raises:
        Exception: any exception of the driver.
    """
    from sqlalchemy import func, select

    with engine.connect() as connection:
        return (
            connection.execute(select(func.count()).select_from(_training_runs())).scalar_one(),
            connection.execute(select(func.count()).select_from(_traces())).scalar_one(),
        )


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


def _table(name: str, *columns: str) -> "sqlalchemy.TableClause":
    import sqlalchemy

    return sqlalchemy.table(name, *(sqlalchemy.column(column) for column in columns))
