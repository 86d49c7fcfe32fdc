"""Which run bills usage that is on no invoice yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from billing.periods import BillingPeriod
from storage.usage.explain import ExplainedInterval, Explanation
from storage.usage.standing import AccountStanding


@dataclass(frozen=True)
class NextRun:
    """The `period` whose run bills usage, and the billed period `again` that bills it too if it is run again.

    `again` is None if the account has an invoice of that period. `until` is the end of `period`.
    """

    period: BillingPeriod
    again: BillingPeriod | None
    until: datetime


def run_of(found: Explanation, each: ExplainedInterval, zone: tzinfo) -> NextRun | None:
    """Return the next run that bills an interval. None if it is not unbilled, or if no run can bill it as it is."""
    if each.fate != "unbilled" or each.workspace_class not in found.rated:
        return None
    return next_run(found.standing_of(each), each.start, zone)


def next_run(standing: AccountStanding, start: datetime, zone: tzinfo, currency: str | None = None) -> NextRun | None:
    """Return the next run that bills usage from `start` on. None if the account's subscription bills it.

    `currency`: the usage's; without it, that of the window at `start`.
    """
    runs = standing.runs_in(currency or standing.currency_at(start))
    if runs.by_subscription:
        return None
    month = BillingPeriod.containing(start, zone)
    whole, invoiced = (each and BillingPeriod.parse(each) for each in (standing.billed_through, runs.invoiced))
    period = max(each for each in (month, whole and whole.next(), invoiced and invoiced.next()) if each)
    again = whole if whole and month <= whole and (not invoiced or invoiced < whole) else None
    return NextRun(period, again, period.end(zone))


def sentence(run: NextRun | None, end: datetime, verb: str = "bill") -> str:
    """Say which run bills usage up to `end`, or which it is first of several; `verb` is what it does, in the plural."""
    if run is None:
        return "The subscription's next invoice bills it."
    again = f", or that of {run.again} if it is run again" if run.again else ""
    return f"The {runs(run, end, verb)}{again}."


def runs(run: NextRun, end: datetime, verb: str = "bill") -> str:
    """Return the words of `sentence` for the run, or for the runs of several months, alone."""
    if end > run.until:
        return f"runs from {run.period} on {verb} it"
    return f"run of {run.period} {verb}s it"
