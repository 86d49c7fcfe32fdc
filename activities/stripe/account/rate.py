"""How many invoices a second are created in Stripe, by all workers together."""

from __future__ import annotations

import asyncio
from typing import Final

from activities.stripe.mode import mode_of_key
from settings import Settings

OF_STRIPE: Final = 25.0
"""Stripe allows 100 requests a second, and 25 to one endpoint. An invoice takes four requests, to four endpoints.

https://docs.stripe.com/rate-limits
"""
OF_A_SANDBOX: Final = 6.0
"""A sandbox allows 25 requests a second."""
_ACTIVITIES_OF_AN_INVOICE = 3


class Pace:
    """Spreads what happens at most `per_second` times a second: Temporal's server hands out activities in bursts."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the turn before it is a gap ago. Turns are taken in the order of the calls."""
        now = asyncio.get_running_loop().time()
        begins = max(now, self._next)
        self._next = begins + self._gap
        if begins > now:
            await asyncio.sleep(begins - now)


def invoices_per_second(settings: Settings) -> float:
    """Return the rate at which Temporal's server hands out the activities of the queue `stripe`.

    The most common invoice takes one activity; others take more, and so are slower. STRIPE_ACTIVITIES_PER_SECOND counts
    activities of which an invoice took three.
    """
    if settings.stripe_invoices_per_second is not None:
        return settings.stripe_invoices_per_second
    if settings.stripe_activities_per_second is not None:
        return settings.stripe_activities_per_second / _ACTIVITIES_OF_AN_INVOICE
    in_a_sandbox = settings.stripe_api_base is None and mode_of_key(settings.need("stripe_api_key")) == "test"
    return OF_A_SANDBOX if in_a_sandbox else OF_STRIPE


def outdated_rate(settings: Settings) -> str | None:
    """Return what to write in place of STRIPE_ACTIVITIES_PER_SECOND, in one line. Returns None if it is not set."""
    activities = settings.stripe_activities_per_second
    if activities is None:
        return None
    if settings.stripe_invoices_per_second is not None:
        return "STRIPE_ACTIVITIES_PER_SECOND has no effect next to STRIPE_INVOICES_PER_SECOND: remove it"
    rate = activities / _ACTIVITIES_OF_AN_INVOICE
    return f"STRIPE_ACTIVITIES_PER_SECOND is replaced: write STRIPE_INVOICES_PER_SECOND={rate:g}, a third of it"
