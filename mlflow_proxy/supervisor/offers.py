"""What the user has decided about the repairs that the page offers."""

import logging

from mlflow_proxy.shared.offers import DeclinedOffers, Offer
from mlflow_proxy.shared.reports import Failure

from .front.decisions import Decision

_logger = logging.getLogger(__name__)


class Offers:
    """Keeps an agreed offer until its repair starts, and a declined one for good."""

    def __init__(self, declined: DeclinedOffers) -> None:
        self._declined = declined
        self._agreed: Offer | None = None

    def answer(self, decision: Decision, failure: Failure | None) -> None:
        """Record `decision` about the offer of `failure`."""
        offer = failure and failure.offer
        if offer and decision is Decision.REPAIR:
            self._agreed = offer
        elif offer and decision is Decision.DECLINE:
            self._decline(offer)

    def take_agreed(self) -> Offer | None:
        """The offer that the user has agreed to; returned once."""
        offer, self._agreed = self._agreed, None
        if offer:
            _logger.info("Agreed: %s", offer.action)
        return offer

    def _decline(self, offer: Offer) -> None:
        _logger.info("Declined: %s", offer.action)
        try:
            self._declined.add(offer)
        except OSError as error:  # the next start makes the offer again
            _logger.warning("Cannot record it: %s", error)
