"""Why MLflow cannot start, for a person."""

from mlflow_proxy.shared.offers import Offer
from mlflow_proxy.shared.reports import Failure


class StartError(Exception):
    """A start that fails for a known reason: what happened and what to do, a sentence each."""

    def __init__(self, reason: str, remedy: str, offer: Offer | None = None) -> None:
        super().__init__(f"{reason} {remedy}")
        self.failure = Failure(reason, remedy, offer)
