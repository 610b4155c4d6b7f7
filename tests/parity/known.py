"""Differences that are meant: where, what, and why. Each is an expression.

A difference is a line of the side that has it, e.g. `tile: 404 GET api/…`.
"""

KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r".*",
        r"^(tile|plain): (403|500|501) GET \S*/assistant/",
        "MLflow takes a client on a unix socket for one of another machine",
    ),
    (
        r".*",
        r"^(tile|plain): text: .*Assistant",
        "the Assistant is offered where it can answer",
    ),
    (
        r"overview|judges|traces|evaluation-runs",
        r"^(tile|plain): text: .*(job execution|MLFLOW_SERVER_ENABLE_JOB_EXECUTION)",
        "the tile's jobs have a setting of their own",
    ),
)
