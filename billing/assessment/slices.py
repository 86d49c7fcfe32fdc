"""The parameters of the usage statement: which accounts, up to when, split by rate versions and months."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from billing.assessment.assessment import BillableAccount, ClaimScope
from billing.periods import BillingPeriod
from billing.pricing.rating import DEFAULT_CLASS, RateCard
from billing.usage.interval import Interval


@dataclass(frozen=True)
class _Slice(Interval):
    """A span of one rate version, within one month if prices depend on the month; else `month` is empty."""

    rate_from: datetime
    month: str


def _slices(scope: ClaimScope, card: RateCard, accounts: Sequence[BillableAccount]) -> list[_Slice]:
    starts = [version.effective_from for version in card.versions]
    versions = [_Slice(start, end, start, "") for start, end in zip(starts, [*starts[1:], None], strict=True)]
    if not card.is_graduated and all(account.policy.included_credits is None for account in accounts):
        return versions
    return [part for version in versions for part in _by_month(version, scope)]


def _by_month(version: _Slice, scope: ClaimScope) -> Iterator[_Slice]:
    last = scope.cutoff if version.end is None else min(version.end, scope.cutoff)
    start = version.start
    while start < last:
        month = BillingPeriod.containing(start, scope.zone)
        end = min(month.end(scope.zone), last)
        yield _Slice(start, end, version.rate_from, str(month))
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
        **asdict(scope.silence),
        "rates_from": [each.rate_from for each in slices],
        "months": [each.month for each in slices],
        "slices_from": [each.start for each in slices],
        "slices_to": [each.end for each in slices],
    }
