"""What the usage of the present period costs so far: an estimate from a sample of instances, with its error.

It counts what ran within the charged windows at the prices in force, billed already or not. It leaves out included
credits, graduated prices, minimum charges, classes without a rate, and that silent instances are billed only up to
their last sign. So it says how large the period is going to be, and not what a run would bill: `perdure period run
--dry-run` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from typing import Any

from billing.accounts.windows import PAID_ALONE, WindowKind
from billing.pricing.rating import DEFAULT_CLASS
from storage.postgres.database import Database
from storage.postgres.statements import statement
from storage.postgres.tuning import tune

_PAGES = 60


@dataclass(frozen=True)
class SoFar:
    """An estimated amount of one currency, in minor units.

    `error`: the standard error: in two cases of three the exact amount is within it. Zero if every instance was read.
    """

    currency: str
    amount: int
    error: int


async def usage_so_far(
    db: Database,
    start: datetime,
    now: datetime,
    *,
    bill_after: datetime | None = None,
    charged_kinds: frozenset[WindowKind] = PAID_ALONE,
) -> list[SoFar]:
    """Return what usage within `[start, now)` costs, by currency.

    Empty without usage, or if the billing worker has not published its rate card yet. `bill_after`, `charged_kinds`:
    the deployment's.
    """
    async with db.transaction(read_only=True) as connection:
        await tune(connection)
        pages = int((await connection.execute(statement("totals/so_far", "size"))).scalar_one())
        step = max(1, pages // _PAGES)
        given: dict[str, Any] = {
            "start": start,
            "now": now,
            "bill_after": bill_after,
            "default_class": DEFAULT_CLASS,
            "charged_kinds": sorted(charged_kinds),
        }
        if step > 1:
            given |= {"pages": pages, "step": step}
        read = statement("totals/so_far", "sample") if step > 1 else statement("totals/so_far", "whole")
        found = (await connection.execute(read, given)).all()
    costs: dict[str, dict[int, Decimal]] = {}
    for row in found:
        costs.setdefault(row.currency, {})[row.page] = row.amount
    if step == 1:  # all is one page
        pages = 1
    numbers = range(step // 2, pages, step)
    return [_estimate(code, [costs[code].get(page, Decimal(0)) for page in numbers], pages) for code in sorted(costs)]


def _estimate(currency: str, costs: Sequence[Decimal], pages: int) -> SoFar:
    """Scale the cost of the pages that were read to all pages.

    The error is that of a systematic sample: of the differences between neighbours (Wolter, Introduction to Variance
    Estimation, chapter 8).
    """
    share = Fraction(pages, len(costs))
    amount = round(Fraction(sum(costs, Decimal(0))) * share)
    if share == 1:
        return SoFar(currency, amount, 0)
    spread = sum(float(one - other) ** 2 for one, other in pairwise(costs)) / 2
    return SoFar(currency, amount, round(float(share) * sqrt(spread * len(costs) / max(1, len(costs) - 1))))
