"""Why MLflow cannot start, for a person."""

from mlflow_proxy.reports import Failure, Offer

COMMAND = "\n    "
"""Before a command in a remedy: on a line of its own, indented, the page shows it as a command."""


class StartError(Exception):
    """A start that fails for a known reason: what happened and what to do, a sentence each."""

    def __init__(self, reason: str, remedy: str, offer: Offer | None = None) -> None:
        super().__init__(f"{reason} {remedy}")
        self.failure = Failure(reason, remedy, offer)
