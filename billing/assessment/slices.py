"""The parameters of the usage statement: which accounts, up to when, split by rate versions and months or cycles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import Any

from billing.accounts.cycles import Cycle
from billing.assessment.assessment import BillableAccount, ClaimScope
from billing.periods import BillingPeriod
from billing.pricing.rating import DEFAULT_CLASS, RateCard
from billing.usage.interval import ClosedInterval, Interval


@dataclass(frozen=True)
class _Slice(Interval):
    """A span of one rate version, within one place if prices depend on the month; else `place` is empty.

    `attribution_id`: the account whose cycles it follows; empty for the accounts without any.
    """

    rate_from: datetime
    place: str
    attribution_id: str = ""


def place_at(instant: datetime, cycles: Sequence[Cycle], zone: tzinfo) -> tuple[str, ClosedInterval]:
    """Return the name of the place in which usage at this instant counts, and a span around it of the same place.

    The place is the cycle that contains the instant, named by its first day, else the calendar month. `cycles` are
    an account's monthly cycles, in order.
    """
    cycle = next((each for each in cycles if each.end > instant), None)
    if cycle is not None and cycle.start <= instant:
        return cycle.name(zone), cycle
    month = BillingPeriod.containing(instant, zone)
    end = month.end(zone)
    return str(month), ClosedInterval(month.start(zone), end if cycle is None else min(end, cycle.start))


def _slices(scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]) -> list[_Slice]:
    starts = [version.effective_from for version in card.versions]
    versions = [_Slice(start, end, start, "") for start, end in zip(starts, [*starts[1:], None], strict=True)]
    if not card.is_graduated and all(account.policy.included_credits is None for account in accounts):
        return versions
    own = {"": (), **{account.attribution_id: account.cycles for account in accounts if account.cycles}}
    return [
        part
        for attribution_id, cycles in own.items()
        for version in versions
        for part in _by_place(version, scope, attribution_id, cycles)
    ]


def _by_place(version: _Slice, scope: ClaimScope, attribution_id: str, cycles: Sequence[Cycle]) -> Iterator[_Slice]:
    last = scope.cutoff if version.end is None else min(version.end, scope.cutoff)
    start = version.start
    while start < last:
        place, span = place_at(start, cycles, scope.zone)
        end = min(span.end, last)
        yield _Slice(start, end, version.rate_from, place, attribution_id)
        start = end


def usage_parameters(scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]) -> dict[str, Any]:
    """Return the parameters of the statement `usage` in `claims.sql`."""
    slices = _slices(scope, card, accounts)
    return {
        "accounts": [account.attribution_id for account in accounts],
        "currencies": [account.currency for account in accounts],
        "bill_after": scope.bill_after,
        "cutoff": scope.cutoff,
        "charged_kinds": sorted(scope.charged_kinds),
        "default_class": DEFAULT_CLASS,
        "first_rate": card.versions[0].effective_from,
        **asdict(scope.silence),
        "slices_of": [each.attribution_id for each in slices],
        "rates_from": [each.rate_from for each in slices],
        "months": [each.place for each in slices],
        "slices_from": [each.start for each in slices],
        "slices_to": [each.end for each in slices],
    }
