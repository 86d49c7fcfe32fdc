"""Cycles of a Stripe subscription: the spans between its renewals, and what they mean for an account's usage.

A cycle of about a month takes the place of the calendar month where prices depend on the month, if the account is
charged on the subscription's invoices. Usage of a longer cycle is invoiced monthly by the period's run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo

from billing.usage.interval import ClosedInterval

SHORTEST_MONTH, LONGEST_MONTH = timedelta(days=27), timedelta(days=38)


@dataclass(frozen=True)
class Cycle(ClosedInterval):
    """A cycle of a subscription, as Stripe announced it, or up to the subscription's end."""

    @property
    def is_monthly(self) -> bool:
        """Whether included credits and tiers count per cycle: it has 27 to 38 days."""
        return SHORTEST_MONTH <= self.end - self.start <= LONGEST_MONTH

    @property
    def is_long(self) -> bool:
        """Whether its usage is invoiced monthly: it has more than 38 days."""
        return self.end - self.start > LONGEST_MONTH

    def name(self, zone: tzinfo) -> str:
        """Return its first day in the billing time zone, `YYYY-MM-DD`."""
        return str(self.start.astimezone(zone).date())


def monthly_cycles(cycles: Iterable[Cycle]) -> tuple[Cycle, ...]:
    """Return the monthly cycles in order. Where two overlap, because Stripe announced both, the later one counts."""
    found: list[Cycle] = []
    for cycle in sorted((each for each in cycles if each.is_monthly), key=lambda each: (each.start, each.end)):
        if found and found[-1].end > cycle.start:
            earlier = found.pop()
            if earlier.start < cycle.start:
                found.append(replace(earlier, end=cycle.start))
        found.append(cycle)
    return tuple(found)
