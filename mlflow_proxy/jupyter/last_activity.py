"""What Jupyter, and with it a hub's idle culler, counts as activity: only use of MLflow."""

from datetime import datetime, timezone
from typing import Any

from jupyter_server.utils import url_path_join

from mlflow_proxy.shared.activity import is_use
from mlflow_proxy.shared.addresses import IDLE_HEADER, NAME


def record(settings: dict[str, Any]) -> None:
    """Record use of MLflow as activity in the `settings` of Jupyter's web application."""
    settings.setdefault("last_activity_times", {})[NAME] = datetime.now(timezone.utc)


def counts_as_activity(handler: Any) -> bool:
    """Whether the request of jupyter-server-proxy's `handler` is use of MLflow."""
    prefix = url_path_join(handler.base_url, handler.name)
    path = handler.request.path.removeprefix(prefix)
    return is_use(path, handler.request.headers.get(IDLE_HEADER))
