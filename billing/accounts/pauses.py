"""Paused collection: Stripe goes on with a subscription, but does not collect payment for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PauseBehavior(StrEnum):
    """What happens to the invoices that Stripe makes while collection is paused.

    https://docs.stripe.com/billing/subscriptions/pause-payment
    """

    KEEP_AS_DRAFT = "keep_as_draft"
    """They stay drafts, to be charged later."""
    MARK_UNCOLLECTIBLE = "mark_uncollectible"
    """The service is free, and the invoices say what it would have cost."""
    VOID = "void"
    """The service is free."""


@dataclass(frozen=True)
class CollectionPause:
    """A subscription's pause. `since` and `ended` are when that was first seen: Stripe does not say."""

    stripe_subscription_id: str
    behavior: PauseBehavior | None
    """None if the pause was over before the subscription was fetched."""
    since: datetime
    resumes_at: datetime | None = None
    ended: datetime | None = None
    """None while it is in force. A pause ends with its subscription, too."""

    def covers(self, instant: datetime) -> bool:
        """Whether collection was paused at this instant."""
        return self.since <= instant and (self.ended is None or instant < self.ended)
