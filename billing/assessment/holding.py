"""Whether a limit holds an account's invoice, given the account's past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from billing.invoice.limits import BillFigures
from billing.invoice.policy import Policy
from billing.money import EXACT, format_amount, maximum, to_major, to_minor
from billing.pricing.rating import RateCard


@dataclass(frozen=True)
class ExcusedUsage:
    """Carried usage of one (workspace class, rate version) that no limit counts, in microseconds.

    A person has approved it on an invoice that was voided since, or its class was unknown when its period was billed.
    `quantity_us` is the same times quantity.
    """

    workspace_class: str
    rate_from: datetime
    duration_us: int
    quantity_us: Decimal


@dataclass(frozen=True)
class AccountPast:
    """What limits compare an account's invoice with.

    `previous_amount` is the total, in minor units, of its latest earlier period with an invoice; None if it has none.
    `window_us` and `previous_us` are the microseconds of its windows in this period, up to the cutoff, and in that
    earlier one. `is_first`: it has no other live invoice, except invoices that a limit holds.
    """

    previous_amount: int | None = None
    window_us: int = 0
    previous_us: int = 0
    is_first: bool = False
    excused: tuple[ExcusedUsage, ...] = ()


NO_PAST = AccountPast()


class Held(NamedTuple):
    """Why limits hold an invoice, and why limits that only warn would; each is empty if none does."""

    hold: str
    caution: str


NOT_HELD = Held("", "")


def hold(policy: Policy, bill: BillFigures, *, on_subscription: bool) -> Held:
    """Compare an invoice with what Stripe can charge, and with the account's limits.

    On a subscription's draft, limits that are not set only warn: the draft is Stripe's, and its base fee is due.
    """
    held = "; ".join(filter(None, (_above_maximum(bill), policy.limits.exceeded(bill))))
    if bill.floor is None or bill.amount <= bill.floor:
        return Held(held, "")
    if on_subscription:
        return Held(held, policy.defaults.exceeded(bill))
    return Held("; ".join(filter(None, (held, policy.defaults.exceeded(bill)))), "")


def _above_maximum(bill: BillFigures) -> str:
    most = maximum(bill.currency)
    found = max(bill.amount, bill.largest_line)
    if found <= most:
        return ""
    what = f"{bill.what} totals" if found == bill.amount else f"a line of {bill.what} has"
    amount, largest = format_amount(found, bill.currency), format_amount(most, bill.currency)
    return f"{what} {amount}, above {largest}, the most that Stripe charges by every payment method"


def floor_in(currency: str, floors: Mapping[str, int], card: RateCard, cutoff: datetime) -> int | None:
    """Return the floor in this currency, in minor units.

    A currency without a floor of its own takes that of the first currency which the rate card prices too, by the ratio
    of the prices in force just before the cutoff. Returns None if there is none.
    """
    if currency in floors:
        return floors[currency]
    version = card.before(cutoff)
    prices = version.price_per_credit if version else {}
    price = prices.get(currency)
    for known, floor in floors.items():
        if price and prices.get(known):
            credits = EXACT.divide(to_major(floor, known), prices[known])
            return to_minor(EXACT.multiply(credits, price), currency)
    return None
