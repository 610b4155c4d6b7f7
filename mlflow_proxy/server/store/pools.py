"""Bounds the connections that MLflow keeps to a database server.

MLflow has a pool of its own for each kind of store (runs, models, jobs), and SQLAlchemy's default
for each is 5 connections that are kept and 10 more. A database server takes some 100 in all.

Sources: `create_sqlalchemy_engine` in mlflow/store/db/utils.py, which also pings a connection
before each use, so a pool outlives a restart of the server. It ignores an overflow of 0.
"""

import os

from .settings import StoreSettings

SIZE = "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"
OVERFLOW = "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"
CLASS = "MLFLOW_SQLALCHEMYSTORE_POOLCLASS"
# Of each pool, one connection is kept, and three more are open while requests come at once.
BOUNDS = {SIZE: "1", OVERFLOW: "3"}


def bound(settings: StoreSettings) -> None:
    """Set the bounds for MLflow, unless the user has set any, or no store is on a server."""
    is_set = any(name in os.environ for name in (SIZE, OVERFLOW, CLASS))
    if settings.servers() and not is_set:
        os.environ.update(BOUNDS)
