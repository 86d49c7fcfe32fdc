"""A naive price of usage, for random corrections: fractions and loops, no code of the product's.

Time is cut into cells of six hours that span neither months nor rate versions. What an invoice costs follows from its
cells on their final terms, by line as documented: credits are rounded once, to six decimals, the amount once, to the
step; credits of a month that other invoices occupy are skipped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

MINOR_UNITS = {"usd": 100, "jpy": 1, "kwd": 1000}
STEPS = {"usd": 1, "jpy": 1, "kwd": 10}
Place = tuple[Fraction, Fraction]
"""From this credit of the month to that one."""


@dataclass(frozen=True)
class CellTerms:
    """Who pays for a cell of an instance, its class and its quantity."""

    payer: str
    workspace_class: str
    quantity: Fraction


@dataclass(frozen=True)
class NaiveVersion:
    """A version of the rate card. `tiers`: by currency, (up to, price); without any, the price is `price`'s."""

    first_cell: int
    rates: Mapping[str, str]
    price: Mapping[str, str]
    tiers: Mapping[str, Sequence[tuple[int | None, str]]]
    included: int

    def cost_of_credit(self, currency: str, included: int) -> list[tuple[Fraction | None, Fraction]]:
        """Return the prices of a month's credits: up to which, in major units."""
        tiers = self.tiers.get(currency) or [(None, self.price[currency])]
        return [
            (Fraction(included), Fraction(0)),
            *((None if end is None else Fraction(included + end), Fraction(price)) for end, price in tiers),
        ]

    def base(self, currency: str) -> Fraction:
        """The price of the usage lines."""
        return Fraction(self.tiers[currency][0][1] if currency in self.tiers else self.price[currency])


@dataclass(frozen=True)
class NaiveCard:
    """Versions, in order. `months`: the first cell of each; `lengths`: of each cell, in microseconds."""

    versions: Sequence[NaiveVersion]
    months: Sequence[int]
    lengths: Sequence[int]

    @property
    def is_graduated(self) -> bool:
        return any(version.tiers or version.included for version in self.versions)

    def version(self, cell: int) -> int:
        return max(number for number, each in enumerate(self.versions) if each.first_cell <= cell)

    def month(self, cell: int) -> int:
        return max(number for number, first in enumerate(self.months) if first <= cell)

    def included(self, month: int) -> int:
        return self.versions[self.version(self.months[month])].included

    def bill(self, currency: str, usage: Iterable[tuple[int, CellTerms]], used: Mapping[int, Sequence[Place]]) -> int:
        """Return the amount of an invoice for these cells. `used`: the places in each month that others occupy."""
        metered: dict[tuple[int, str], dict[int, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        for cell, terms in usage:
            us = self.lengths[cell] * terms.quantity
            metered[self.version(cell), terms.workspace_class][self.month(cell)] += us
        gross: dict[int, int] = defaultdict(int)
        parts: list[tuple[int, int, str, Fraction]] = []
        for (number, name), by_month in metered.items():
            version = self.versions[number]
            credits = _credits(sum(by_month.values(), Fraction(0)), version.rates[name])
            gross[number] += _minor(credits * version.base(currency), currency)
            last = max(by_month)
            for month in sorted(by_month):
                part = credits if month == last else min(credits, _credits(by_month[month], version.rates[name]))
                parts.append((month, number, name, part))
                credits -= part
        return self._graduated(currency, gross, sorted(parts), used) if self.is_graduated else sum(gross.values())

    def _graduated(
        self,
        currency: str,
        gross: Mapping[int, int],
        parts: Iterable[tuple[int, int, str, Fraction]],
        used: Mapping[int, Sequence[Place]],
    ) -> int:
        taken = {month: list(places) for month, places in used.items()}
        cost: dict[int, Fraction] = defaultdict(Fraction)
        prices: dict[int, set[Fraction]] = defaultdict(set)
        for month, number, _, credits in parts:
            places = taken.setdefault(month, [])
            for place in _lowest_free(places, credits):
                places.append(place)
                for part, price in _priced(place, self.versions[number].cost_of_credit(currency, self.included(month))):
                    cost[number] += part * price
                    prices[number].add(price)
        return sum(
            amount if prices[number] <= {self.versions[number].base(currency)} else _minor(cost[number], currency)
            for number, amount in gross.items()
        )


def _credits(us: Fraction, per_minute: str) -> Fraction:
    return Fraction(round(us * Fraction(per_minute) / 60), 10**6)  # half-even


def _minor(major: Fraction, currency: str) -> int:
    return floor(major * MINOR_UNITS[currency] / STEPS[currency] + Fraction(1, 2)) * STEPS[currency]


def _lowest_free(taken: Sequence[Place], credits: Fraction) -> list[Place]:
    found, position = [], Fraction(0)
    for start, end in sorted(taken):
        room = min(credits, start - position)
        if room > 0:
            found.append((position, position + room))
            credits -= room
        position = max(position, end)
    return [*found, (position, position + credits)] if credits else found


def _priced(place: Place, prices: Sequence[tuple[Fraction | None, Fraction]]) -> list[tuple[Fraction, Fraction]]:
    position, end = place
    found = []
    for up_to, price in prices:
        part = (end if up_to is None else min(end, up_to)) - position
        if part > 0:
            found.append((part, price))
            position += part
    return found
