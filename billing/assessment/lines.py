"""An account's usage as lines, and the same lines rated, if an invoice can hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation

from billing.accounts.cycles import Cycle
from billing.assessment.adjusting import WaitingAdjustment, adjustment_line
from billing.errors import PricingError
from billing.money import format_amount
from billing.periods import BillingPeriod
from billing.pricing.graduation import MonthlyUsage, Place, graduate
from billing.pricing.rating import RateCard, RatedLine

_LARGEST = 2**63 - 1
_MOST_LINES = 2**15 - 1
"""Line numbers are smallints. Stripe allows fewer lines, so they are folded there."""
_TOO_LARGE = (
    "the amount or the duration is larger than any invoice can be; check the rate card and the times of the instances"
)


class OutOfRangeError(PricingError):
    """A number is larger than an invoice can hold."""


@dataclass(frozen=True)
class UsageLine:
    """Billable microseconds of one (workspace class, rate version); `carried_us` of them precede the period.

    `quantity_us` and `carried_quantity_us` are the same times quantity. `month` is `YYYY-MM` in the billing time zone
    if prices depend on the month, else empty. `first_instance`: the first of the instances that ran, by id.
    """

    workspace_class: str
    rate_from: datetime
    duration_us: int
    quantity_us: Decimal
    carried_us: int
    carried_quantity_us: Decimal
    first_instance: str
    month: str = ""


@dataclass(frozen=True)
class Rated:
    """Rated lines: first one for each line of usage, in its order, then those of tiers, then those of adjustments.

    `carried` holds the price of what precedes the period, of each line with such usage. `months` holds the places that
    the lines occupy in each month, where prices depend on the month.
    """

    lines: tuple[RatedLine, ...]
    carried: tuple[RatedLine, ...]
    months: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)


NOTHING_RATED = Rated((), ())


def by_version(usage: Sequence[UsageLine]) -> list[UsageLine]:
    """Merge the months: one line per (workspace class, rate version), in order of first appearance."""
    lines: dict[tuple[str, datetime], UsageLine] = {}
    for each in usage:
        key = (each.workspace_class, each.rate_from)
        before = lines.get(key)
        lines[key] = replace(each, month="") if before is None else _joined(before, each)
    return list(lines.values())


def _joined(one: UsageLine, other: UsageLine) -> UsageLine:
    return replace(
        one,
        duration_us=one.duration_us + other.duration_us,
        quantity_us=one.quantity_us + other.quantity_us,
        carried_us=one.carried_us + other.carried_us,
        carried_quantity_us=one.carried_quantity_us + other.carried_quantity_us,
        first_instance=min(one.first_instance, other.first_instance),
    )


def below_minimum(amount: int, minimum: int, currency: str) -> str:
    """Say why a total is not charged; `amount` and `minimum` are in minor units."""
    total = format_amount(amount, currency)
    if amount == 0:
        return f"the total is {total}: carried to the next period"
    return f"{total} is below the minimum charge of {format_amount(minimum, currency)}: carried to the next period"


def included_by_place(
    card: RateCard, own: Decimal | None, cycles: Sequence[Cycle], zone: tzinfo
) -> Callable[[str], Decimal]:
    """Return the function from a month, `YYYY-MM`, or the first day of a cycle, to its included credits.

    They are the account's `own`, or those of the card when the month or the cycle starts.
    """
    starts = {cycle.name(zone): cycle.start for cycle in cycles}

    def included(place: str) -> Decimal:
        if own is not None:
            return own
        return card.included_credits(starts.get(place) or BillingPeriod.parse(place).start(zone))

    return included


def rate(
    card: RateCard,
    currency: str,
    by_month: Sequence[UsageLine],
    adjustments: Sequence[WaitingAdjustment] = (),
    *,
    used: Mapping[str, Sequence[Place]],
    included: Callable[[str], Decimal],
) -> Rated:
    """Rate an account's usage in one currency, and add what corrections of its earlier invoices charge.

    Args:
        card, currency: the account's.
        by_month: the usage.
        adjustments: what the corrections charge.
        used: the places in each month that the account's other invoices occupy.
        included: the free credits of a month, `YYYY-MM`.

    Raises:
        OutOfRangeError: a number is larger than an invoice can hold.
        PricingError: the card has no rate or price for the usage, or an invoice cannot hold so many lines.
    """
    usage = by_version(by_month)
    try:
        lines = tuple(
            card.rate_line(x.workspace_class, x.rate_from, x.duration_us, currency, x.quantity_us) for x in usage
        )
        carried = tuple(
            card.rate_line(each.workspace_class, each.rate_from, each.carried_us, currency, each.carried_quantity_us)
            for each in usage
            if each.carried_us
        )
        rated = Rated(lines, carried)
        if any(each.month for each in by_month):
            monthly = [MonthlyUsage(x.workspace_class, x.rate_from, x.month, x.quantity_us) for x in by_month]
            tiers = graduate(card, currency, monthly, lines, used=used, included=included)
            rated = Rated(lines + tiers.lines, carried, tiers.months)
    except InvalidOperation as error:  # more digits than exact arithmetic has
        raise OutOfRangeError(_TOO_LARGE) from error
    return _checked(replace(rated, lines=rated.lines + tuple(adjustment_line(x, currency) for x in adjustments)))


def left_unbilled_us(usage: Sequence[UsageLine], billed: Sequence[UsageLine]) -> int:
    """Return the microseconds of the usage that are not billed."""
    return sum(line.duration_us for line in usage) - sum(line.duration_us for line in billed)


def _checked(rated: Rated) -> Rated:
    lines = rated.lines
    for line in lines:
        if max(abs(line.amount), line.duration_us) > _LARGEST:
            raise OutOfRangeError(f"class {line.workspace_class}: {_TOO_LARGE}")
    if abs(sum(line.amount for line in lines)) > _LARGEST:
        raise OutOfRangeError(f"the total: {_TOO_LARGE}")
    if len(lines) > _MOST_LINES:
        raise PricingError(
            f"the usage needs {len(lines)} lines (one for each workspace class and rate version), but an invoice "
            f"holds at most {_MOST_LINES}: use fewer workspace classes or rate versions"
        )
    return rated
