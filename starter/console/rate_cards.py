"""The rate card that the pages explain by: the billing worker's."""

from __future__ import annotations

from billing.pricing.rate_card import described_rate_card, load_rate_card
from billing.pricing.rating import RateCard
from contracts.names import BILLING_QUEUE
from starter.console.services import ConsoleServices
from storage.periods.published import read_published


async def rate_card(own: ConsoleServices) -> RateCard:
    """Return the rate card that the billing worker has published, or before there is one, RATE_CARD's.

    Raises:
        RateCardError: there is neither.
    """
    published = await read_published(own.db, BILLING_QUEUE)
    return load_rate_card(own.settings.rate_card) if published is None else described_rate_card(published.content)
