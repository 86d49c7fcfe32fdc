"""Whether an action concerns real money: the mode of the Stripe key."""

from __future__ import annotations

from enum import StrEnum

from contracts.names import BILLING_QUEUE
from settings import Settings
from storage.periods.published import STRIPE_MODE, read_published
from storage.postgres.database import Database


class Mode(StrEnum):
    """The mode of Stripe, as STRIPE_MODE says it."""

    LIVE = "live"
    TEST = "test"
    UNKNOWN = "unknown"
    """STRIPE_MODE is set neither for this command nor for the billing worker."""

    @property
    def label(self) -> str:
        """What a person sees first."""
        return "MODE UNKNOWN (set STRIPE_MODE)" if self is Mode.UNKNOWN else self.upper()

    @property
    def style(self) -> str:
        """A style of rich's for the label: real money is red."""
        return {Mode.LIVE: "bold white on red", Mode.TEST: "bold green", Mode.UNKNOWN: "bold yellow"}[self]


async def mode_of(settings: Settings, db: Database | None) -> Mode:
    """Return the mode: live if the command or the billing worker has STRIPE_MODE=live, else what either has."""
    published = None if db is None else await read_published(db, BILLING_QUEUE)
    known = {settings.stripe_mode, published and published.settings.get(STRIPE_MODE)}
    return next((mode for mode in (Mode.LIVE, Mode.TEST) if mode in known), Mode.UNKNOWN)
