"""Included credits and graduated prices: the price of a credit depends on the credits used before it in the month.

Within a month of the billing time zone an account's credits are placed one after the other: the included credits are
free, and the tiers price the rest. Usage counts in the month in which it happened, no matter when it is invoiced, so
free usage of May that was never invoiced does not use up June's credits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import EXACT, step, to_minor
from billing.pricing.rating import LineKind, RateCard, RatedLine, RateVersion, TierShare, rate_credits

_NONE = Decimal(0)


@dataclass(frozen=True)
class MonthlyUsage:
    """Σ (duration × quantity), in microseconds, of one (workspace class, rate version) within one month, `YYYY-MM`."""

    workspace_class: str
    rate_from: datetime
    month: str
    metered_us: int | Decimal


@dataclass(frozen=True, order=True)
class Place:
    """The `credits` of a month that begin at `position`, which counts from the month's first credit."""

    position: Decimal
    credits: Decimal


@dataclass(frozen=True)
class Graduated:
    """The lines that correct the price of the usage lines, and the places that the credits occupy in each month."""

    lines: tuple[RatedLine, ...]
    months: dict[str, tuple[Place, ...]]


def graduate(
    card: RateCard,
    currency: str,
    usage: Sequence[MonthlyUsage],
    rated: Sequence[RatedLine],
    *,
    used: Mapping[str, Sequence[Place]],
    included: Callable[[str], Decimal],
) -> Graduated:
    """Reprice the credits of the usage lines, month by month.

    `used` holds, by month, the places that the account's other invoices occupy; gaps between them, left by a voided
    invoice, are filled first. `included` returns the free credits of a month. Months, versions and classes are placed
    in order, so that the result is always the same.
    """
    shares: dict[datetime, list[TierShare]] = {}
    months: dict[str, list[Place]] = {}
    for month, rate_from, credits in _monthly_credits(usage, rated):
        taken = months.setdefault(month, [])
        version = card.version_from(rate_from)
        for spot in free_places([*used.get(month, ()), *taken], credits):
            taken.append(spot)
            shares.setdefault(rate_from, []).extend(
                place(version, currency, included(month), spot.position, spot.credits)
            )
    lines = [
        line
        for rate_from, found in sorted(shares.items())
        if (line := _line(card.version_from(rate_from), currency, _merged(found), rated)) is not None
    ]
    return Graduated(tuple(lines), {month: _joined(taken) for month, taken in months.items()})


def free_places(taken: Iterable[Place], credits: Decimal) -> list[Place]:
    """Return the lowest free places of a month for this many credits."""
    found = []
    position = _NONE
    for spot in sorted(taken):
        room = min(credits, spot.position - position)
        if room > 0:
            found.append(Place(position, room))
            credits -= room
        position = max(position, spot.position + spot.credits)
    if credits > 0:
        found.append(Place(position, credits))
    return found


def _joined(taken: Iterable[Place]) -> tuple[Place, ...]:
    joined: list[Place] = []
    for spot in sorted(taken):
        if joined and joined[-1].position + joined[-1].credits == spot.position:
            joined[-1] = Place(joined[-1].position, joined[-1].credits + spot.credits)
        else:
            joined.append(spot)
    return tuple(joined)


def place(
    version: RateVersion, currency: str, included: Decimal, position: Decimal, credits: Decimal
) -> list[TierShare]:
    """Price `credits` that begin at `position` of their month."""
    base = version.price_per_credit[currency]
    steps: list[tuple[Decimal | None, Decimal]] = [(included, _NONE)]
    tiers = version.tiers.get(currency)
    steps += [(None if t.up_to is None else included + t.up_to, t.price) for t in tiers] if tiers else [(None, base)]
    shares = []
    for up_to, price in steps:
        room = credits if up_to is None else min(credits, max(up_to - position, _NONE))
        if room > 0:
            shares.append(TierShare(room, price))
            position, credits = position + room, credits - room
    return shares


def tiers_amount(shares: Iterable[TierShare], currency: str, multiple_of: int) -> int:
    """Return the total cost of the credits, in minor units, rounded once, to a multiple of this step."""
    exact = _NONE
    for share in shares:
        exact = EXACT.add(exact, EXACT.multiply(share.credits, share.price))
    return to_minor(exact, currency, multiple_of)


def tiers_in_words(shares: Iterable[TierShare]) -> str:
    """Describe the shares: `500 credits included, 1,000 at 0.036, 200 at 0.03`."""
    parts = []
    for share in shares:
        credits = f"{share.credits.normalize():,f}"
        parts.append(f"{credits} at {share.price.normalize():f}" if share.price else f"{credits} credits included")
    return ", ".join(parts)


def _monthly_credits(usage: Sequence[MonthlyUsage], rated: Sequence[RatedLine]) -> list[tuple[str, datetime, Decimal]]:
    """Return the credits by month and rate version, in order. A line's credits are divided exactly among its months."""
    of_line = {(line.workspace_class, line.rate_from): line for line in rated}
    left = {key: line.credits for key, line in of_line.items()}
    last = {(each.workspace_class, each.rate_from): each.month for each in sorted(usage, key=lambda each: each.month)}
    found: list[tuple[str, datetime, str, Decimal]] = []
    for each in sorted(usage, key=lambda each: each.month):
        key = (each.workspace_class, each.rate_from)
        credits = left[key]
        if each.month != last[key]:
            credits = min(credits, rate_credits(each.metered_us, of_line[key].credits_per_minute))
        left[key] -= credits
        found.append((each.month, each.rate_from, each.workspace_class, credits))
    return [(month, rate_from, credits) for month, rate_from, _, credits in sorted(found)]


def _merged(shares: Iterable[TierShare]) -> tuple[TierShare, ...]:
    by_price: dict[Decimal, Decimal] = {}
    for share in shares:
        by_price[share.price] = by_price.get(share.price, _NONE) + share.credits
    return tuple(TierShare(credits, price) for price, credits in by_price.items())


def _line(
    version: RateVersion, currency: str, shares: tuple[TierShare, ...], rated: Sequence[RatedLine]
) -> RatedLine | None:
    """Return the line that corrects the version's usage lines, or None if every share is at the base price."""
    base = version.price_per_credit[currency]
    if all(share.price == base for share in shares):
        return None
    gross = sum(line.amount for line in rated if line.rate_from == version.effective_from)
    return RatedLine(
        workspace_class="",
        rate_from=version.effective_from,
        credits_per_minute=_NONE,
        rated_as_default=False,
        price_per_credit=base,
        duration_us=0,
        credits=_NONE,
        amount=tiers_amount(shares, currency, step(currency)) - gross,
        kind=LineKind.TIERS,
        tiers=shares,
        step=step(currency),
    )
