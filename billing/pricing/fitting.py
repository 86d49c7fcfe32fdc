"""Rounding the lines of an invoice again: it was priced before amounts were rounded to its currency's step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from billing.money import EXACT, step, to_minor
from billing.pricing.graduation import tiers_amount
from billing.pricing.rating import LineKind, RatedLine


def misfit(lines: Sequence[RatedLine], currency: str) -> int | None:
    """Return the first amount, in minor units, that is no multiple of the currency's step. None if there is none."""
    return next((line.amount for line in lines if line.amount % step(currency)), None)


def fitted(lines: Sequence[RatedLine], currency: str) -> tuple[RatedLine, ...]:
    """Return the lines with the same credits at the same prices, rounded to the currency's step."""
    unit = step(currency)
    usage: Counter[datetime] = Counter()
    found = []
    for line in lines:  # lines of usage come first
        if line.kind is LineKind.TIERS:
            amount = tiers_amount(line.tiers, currency, unit) - usage[line.rate_from]
        elif line.kind is LineKind.ADJUSTMENT:
            amount = line.amount  # a difference between amounts that were rounded
        else:
            amount = to_minor(EXACT.multiply(line.credits, line.price_per_credit), currency, unit)
            usage[line.rate_from] += amount
        found.append(replace(line, amount=amount, step=unit))
    return tuple(found)
