"""Which run bills usage that is on no invoice yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from billing.periods import BillingPeriod
from storage.usage.explain import AccountStanding


@dataclass(frozen=True)
class NextRun:
    """The `period` whose run bills usage, and the settled period `again` that bills it too if it is run again.

    `again` is None if the account has an invoice of that period. `until` is the end of `period`.
    """

    period: BillingPeriod
    again: BillingPeriod | None
    until: datetime


def next_run(standing: AccountStanding, start: datetime, zone: tzinfo) -> NextRun | None:
    """Return the next run that bills usage from `start` on. None if the account's subscription bills it."""
    if standing.by_subscription:
        return None
    month = BillingPeriod.containing(start, zone)
    settled, invoiced = (each and BillingPeriod.parse(each) for each in (standing.settled, standing.invoiced))
    period = max(each for each in (month, settled and settled.next(), invoiced and invoiced.next()) if each)
    again = settled if settled and month <= settled and (not invoiced or invoiced < settled) else None
    return NextRun(period, again, period.end(zone))


def sentence(run: NextRun | None, end: datetime, verb: str = "bills it") -> str:
    """Say which run bills usage up to `end`, by the words of `verb`."""
    if run is None:
        return "The subscription's next invoice bills it."
    part = " up to the end of that month" if end > run.until else ""
    again = f", or that of {run.again} if it is run again" if run.again else ""
    return f"The run of {run.period} {verb}{part}{again}."
