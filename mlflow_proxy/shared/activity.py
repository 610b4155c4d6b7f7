"""What counts as use of MLflow: one definition for all three layers.

Use is a page load, a user's click, key or scroll in the dashboard, or an API client's request. An
open dashboard refreshes itself with the same requests that a user's clicks cause. A script in the
dashboard (server/dashboard/input_reporter.js) therefore adds to each request the seconds since the
user's last input. To watch a training is use without input: while a visible page shows a run that
is still running, the script sends 0, for up to an hour after the last input.
"""

import math

from .addresses import CONTROL, STATIC_FILES, STATUS, TELEMETRY

# Seconds from an input to the last request that it causes. MLflow's tables refresh themselves every
# 30 s; this must be less, so that a click before a refresh does not make the refresh use.
ATTENDED = 15.0
# Requests that never count as use: parts of a page, the polling of the loading page and JupyterLab,
# and the dashboard's telemetry, which a worker without our script sends.
NEVER_USE = (f"{STATIC_FILES}/", STATUS, CONTROL, TELEMETRY)


def seconds_since_use(path: str, idle: str | None) -> float:
    """Seconds since the use that caused a request; infinite if no use caused it.

    `path` is the request's, below the dashboard's address; `idle` is its `IDLE_HEADER`, if any.
    """
    if path.startswith(NEVER_USE):
        return math.inf
    try:
        seconds = float(idle or 0)
    except ValueError:
        return 0.0
    return seconds if seconds > 0 else 0.0  # also for a NaN


def is_use(path: str, idle: str | None) -> bool:
    """Whether such a request counts as use now."""
    return seconds_since_use(path, idle) <= ATTENDED
