"""What counts as use of MLflow: one definition for all three layers.

Use is a page opened, a person's click, key or scroll in the dashboard, an API client's request. A
dashboard left open asks for news by itself, with the very requests that a person's clicks cause. So
a script in it (server/dashboard/activity.js) adds to each the seconds since the person's last
input. Standard library only.
"""

from __future__ import annotations

import math

HEADER = "X-MLflow-Proxy-Idle"  # only the dashboard sends it
# Seconds from an input to the last request that it causes. MLflow's tables refresh themselves every
# 30 s: less than that, so that no refresh is use merely for the click before it.
ATTENDED = 15.0
# Requests that are no use whoever sends them: parts of a page, the loading page's questions, and
# the dashboard's telemetry, which a worker without that script sends when it likes.
NO_USE = ("/static-files/", "/_proxy/status", "/ajax-api/3.0/mlflow/ui-telemetry")


def seconds_since_use(path: str, idle: str | None) -> float:
    """Seconds that have passed since the use that caused a request; infinite where none did.

    `path` is the request's below the dashboard's address, `idle` its `HEADER`, None without one.
    """
    if path.startswith(NO_USE):
        return math.inf
    try:
        seconds = float(idle or 0)
    except ValueError:
        return 0.0
    return seconds if seconds > 0 else 0.0  # also for a NaN


def is_use(path: str, idle: str | None) -> bool:
    """Whether such a request is use, now."""
    return seconds_since_use(path, idle) <= ATTENDED
