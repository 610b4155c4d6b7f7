"""The one document that says what MLflow does, for the loading page, JupyterLab and programs."""

from dataclasses import asdict
from typing import Any

from mlflow_proxy.life import Life
from mlflow_proxy.log import log_file
from mlflow_proxy.quoting import quoted
from mlflow_proxy.reports import Version
from mlflow_proxy.status import State, Status


def status_document(life: Life, *, may_frame: bool, may_see_log: bool) -> dict[str, Any]:
    """The document, as JSON has it; memory in bytes, times in seconds, `since` of Unix time.

    `may_frame`: whether the loading page may load the dashboard in a hidden frame; `may_see_log`:
    whether the user may see the last lines of MLflow's log.
    """
    status = life.status
    failure, is_starting = status.failure, status.state is State.STARTING
    return {
        "state": state_name(status),
        "since": status.since if status.has_started else None,
        "text": status.text,
        "progress": round(status.progress.fraction, 3) if is_starting else None,
        "seconds": round(status.progress.seconds, 1) if is_starting else None,
        "reason": failure.reason if failure else "",
        "remedy": failure.remedy if failure else "",
        "offer": _offer(status),
        "stopped": f"{status.text}." if status.is_stopped_by_user else "",
        "stop_reason": status.stop_reason,
        "version": status.version,
        "notice": Version(status.version or "").notice,
        "memory": None if is_starting else status.memory,
        "pid": status.pids[-1] if status.pids else None,
        "log": str(log_file()),
        "lines": list(status.log_lines) if may_see_log else [],
        "dashboard": may_frame and status.static_folder is not None,
    }


def state_name(status: Status) -> str:
    """The state; "stopped" until MLflow is started for the first time."""
    return status.state.value if status.has_started else "stopped"


def _offer(status: Status) -> dict[str, Any] | None:
    offer = status.failure and status.failure.offer
    if not offer:
        return None
    copies = [*map(quoted, offer.copies)]
    return {**asdict(offer), "repair": offer.repair.value, "copies": copies}
